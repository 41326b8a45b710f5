"""A walk over every page: who does not see it; tests/api/test_every_route.py has who does."""

from collections.abc import Iterator

import httpx
import pytest
from flask import Flask

from app.web.application import create_app
from config.settings import load_settings
from tests.page_routes import SAFE_METHODS, PageRoute, page_routes
from tests.sign_in import (
    add_member,
    client_of,
    create_project,
    create_user,
    csrf_token,
    signed_in_client,
    submit,
)

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture(scope="module")
def routes(database_url: str, redis_url: str) -> list[PageRoute]:
    app: Flask = create_app(
        load_settings({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "s" * 32})
    )
    return [route for route in page_routes(app) if route.access is not None]


@pytest.fixture
def other_project(clean_database: None, database_url: str) -> int:
    """A project of somebody else, which has the id 2: ids of things in the tests' own project are other than its."""
    create_project(database_url, "own")
    project_id = create_project(database_url, "other")
    add_member(database_url, project_id, create_user(database_url, "owner@other.example"), "admin")
    return project_id


@pytest.fixture
def admin(web: str, database_url: str, other_project: int) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url, role="admin", project="own") as client:
        yield client


def ask(client: httpx.Client, route: PageRoute, *, project: int | None = 1, token: str = "") -> httpx.Response:
    """A request as a browser sends it, with no more than the token in a form. Redirects are not followed."""
    query = {} if project is None or not route.is_of_a_project else {"project": str(project)}
    data = {"csrf_token": token} if route.method not in SAFE_METHODS else None
    return client.request(route.method, route.path, params=query, data=data, follow_redirects=False)


def test_a_cookie_that_was_signed_out_is_worth_nothing(web: str, admin: httpx.Client, routes: list[PageRoute]):
    cookies, token = dict(admin.cookies), csrf_token(admin)
    assert submit(admin, "/logout").status_code == 303
    with httpx.Client(base_url=web, cookies=cookies) as replaying:
        for route in routes:
            check_refused(ask(replaying, route, token=token), route)


def check_refused(answer: httpx.Response, route: PageRoute) -> None:
    if route.method in SAFE_METHODS:
        assert (answer.status_code, answer.headers["Location"].split("=")[0]) == (303, "/login?next"), route
    else:
        assert answer.status_code == 401, route


def test_another_project_is_as_if_it_did_not_exist(admin: httpx.Client, routes: list[PageRoute], other_project: int):
    token = csrf_token(admin)
    for route in routes:
        if route.is_of_a_project:
            answers = [ask(admin, route, project=project, token=token) for project in (other_project, 999_999)]
            assert [answer.status_code for answer in answers] == [404, 404], route
            texts = {without_differences(answer.text) for answer in answers}
            assert len(texts) == 1, route
            assert "other" not in answers[0].text.replace("another", ""), route


def without_differences(text: str) -> str:
    """The page without the token and without the number of the project that was asked for."""
    lines = text.splitlines()
    return "\n".join(line for line in lines if "csrf_token" not in line)


def test_nonsense_for_a_project_is_not_found(admin: httpx.Client):
    for nonsense in ("", "0", "-1", "+1", "01", "1 ", "x", "\u0661", "1" * 400, "1.0"):
        answer = admin.get("/dashboard/members", params={"project": nonsense})
        assert answer.status_code == 404, nonsense


def test_an_address_without_a_project_leads_to_the_one_last_looked_at(web: str, database_url: str, other_project: int):
    user_id = create_user(database_url, "both@example.com")
    add_member(database_url, 1, user_id, "admin")
    add_member(database_url, other_project, user_id, "admin")
    with client_of(web, database_url, user_id) as client:
        first = client.get("/dashboard/members?x=%26&x=2", follow_redirects=False)
        assert (first.status_code, first.headers["Location"]) == (303, "/dashboard/members?x=%26&x=2&project=1")
        client.get("/dashboard/members?project=2")
        again = client.get("/dashboard/members", follow_redirects=False)
        assert again.headers["Location"] == "/dashboard/members?project=2"


def test_a_change_of_role_and_a_removal_hold_from_the_next_request_on(web: str, database_url: str, admin: httpx.Client):
    with signed_in_client(web, database_url, role="admin", project="own", email="second@own.example") as second:
        user_id = create_user(database_url, "second@own.example")
        assert second.get("/dashboard/members?project=1").status_code == 200
        submit(admin, f"/dashboard/members/{user_id}/role?project=1", {"role": "member"})
        assert second.get("/dashboard/members?project=1").status_code == 403
        submit(admin, f"/dashboard/members/{user_id}/remove?project=1")
        assert second.get("/dashboard/members?project=1").status_code == 404


def test_somebody_without_any_project_is_told_so_and_can_still_sign_out(web: str, database_url: str):
    with client_of(web, database_url, create_user(database_url, "alone@example.com")) as client:
        answer = client.get("/dashboard/members")
        assert answer.status_code == 404
        assert "You are in no project" in answer.text
        assert client.get("/account").status_code == 200
        assert submit(client, "/logout").status_code == 303


def test_a_user_has_a_limit_of_requests(web: str, admin: httpx.Client):
    statuses = {admin.get("/account").status_code for _ in range(601)}
    assert statuses == {200, 429}
    refused = admin.get("/account")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "Slow down" in refused.text
