"""What people do with invitations, links and passwords, through the pages."""

import httpx

from tests.sign_in import csrf_token, submit

LINK_GONE = 404


def invite(admin: httpx.Client, email: str, role: str = "member", *, path: str) -> httpx.Response:
    return submit(admin, path, {"email": email, "role": role})


def link_in(answer: httpx.Response) -> str | None:
    """The one-time link that an invitation shows, if it does."""
    _, found, rest = answer.text.partition('id="invitation-link">')
    return rest.partition("<")[0] if found else None


def choose_password(browser: httpx.Client, link: str, password: str) -> httpx.Response:
    """What the form of a link sends where a password is to be chosen."""
    data = {"password": password, "again": password}
    return browser.post(link, data={"csrf_token": csrf_token(browser, link), **data}, follow_redirects=False)


def join(browser: httpx.Client, link: str, password: str) -> httpx.Response:
    """What it sends where the password that there is proves who joins."""
    data = {"csrf_token": csrf_token(browser, link), "current": password}
    return browser.post(link, data=data, follow_redirects=False)


def sign_in(browser: httpx.Client, email: str, password: str) -> httpx.Response:
    data = {"csrf_token": csrf_token(browser, "/login"), "email": email, "password": password}
    return browser.post("/login", data=data, follow_redirects=False)
