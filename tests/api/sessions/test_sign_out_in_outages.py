"""Signing out while PostgreSQL or Redis is away: the browser is signed out all the same."""

from collections.abc import Iterator

import httpx
import pytest

from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from tests.commands import select
from tests.sessions import is_signed_in
from tests.sign_in import csrf_token
from tests.waiting import wait_until

SIGNED_OUT_HERE_ONLY = "the session is not ended at the server"

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture(autouse=True)
def servers_that_come_back(web: str, postgres: RunningPostgres, redis_server: RunningRedis) -> Iterator[None]:
    yield
    for server in (postgres, redis_server):
        if server.exit_code() is not None:
            server.restart()
    wait_until(lambda: all(httpx.get(f"{web}/login/link/x").status_code == 404 for _ in range(8)))


def sign_out(browser: httpx.Client, token: str) -> tuple[httpx.Response, httpx.Response]:
    """The answer, and the page to which it leads."""
    answer = browser.post("/logout", data={"csrf_token": token})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    return answer, browser.get("/login")


def test_while_redis_is_down_the_session_ends_everywhere(
    web: str, browser: httpx.Client, redis_server: RunningRedis, database_url: str
):
    cookies, token = dict(browser.cookies), csrf_token(browser)
    redis_server.stop()
    _, page = sign_out(browser, token)
    assert page.status_code == 200
    assert SIGNED_OUT_HERE_ONLY not in page.text
    assert not is_signed_in(browser)
    with httpx.Client(base_url=web, cookies=cookies) as replaying:
        assert not is_signed_in(replaying)
    assert select(database_url, "SELECT action FROM audit_log") == [("signed out",)]


@pytest.mark.parametrize("redis_too", [False, True])
def test_while_postgresql_is_down_the_cookie_goes_and_the_page_says_what_is_left(
    web: str, browser: httpx.Client, postgres: RunningPostgres, redis_server: RunningRedis, *, redis_too: bool
):
    cookies, token = dict(browser.cookies), csrf_token(browser)
    postgres.stop()
    if redis_too:
        redis_server.stop()
    _, page = sign_out(browser, token)
    assert page.status_code == 200
    assert SIGNED_OUT_HERE_ONLY in page.text
    postgres.restart()
    assert not is_signed_in(browser)
    with httpx.Client(base_url=web, cookies=cookies) as replaying:
        wait_until(lambda: replaying.get("/account").status_code != 503)
        assert is_signed_in(replaying)


def test_nobody_is_signed_out_by_a_form_of_another_site_then(browser: httpx.Client, postgres: RunningPostgres):
    postgres.stop()
    assert browser.post("/logout", data={"csrf_token": "forged"}).status_code == 400


def test_no_password_is_tried_while_attempts_cannot_be_counted(browser: httpx.Client, redis_server: RunningRedis):
    token = csrf_token(browser)
    redis_server.stop()
    data = {"csrf_token": token, "email": "ada@example.com", "password": "wrong"}
    assert browser.post("/login", data=data).status_code == 503
