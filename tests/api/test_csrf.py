"""No page lets another site act in the name of its user."""

from collections.abc import Iterator

import httpx
import pytest
from flask import Flask

from app.web.application import create_app
from config.settings import load_settings
from tests.page_routes import SAFE_METHODS, PageRoute, page_routes
from tests.sign_in import csrf_token, signed_in_client

REFUSED = "This form is too old"

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture(scope="module")
def app(database_url: str, redis_url: str) -> Flask:
    return create_app(load_settings({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "s" * 32}))


@pytest.fixture(scope="module")
def unsafe_routes(app: Flask) -> list[PageRoute]:
    return [route for route in page_routes(app) if route.method not in SAFE_METHODS]


@pytest.fixture
def admin(clean_database: None, web: str, database_url: str) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url) as client:
        yield client


def test_every_unsafe_page_refuses_a_request_without_a_token(admin: httpx.Client, unsafe_routes: list[PageRoute]):
    for route in unsafe_routes:
        for body in ({}, {"csrf_token": ""}, {"csrf_token": "nonsense"}):
            check_refused(send(admin, route, body), route)


def test_every_unsafe_page_refuses_the_token_of_another_session(
    web: str, database_url: str, admin: httpx.Client, unsafe_routes: list[PageRoute]
):
    csrf_token(admin)
    with signed_in_client(web, database_url, email="other@p.example") as other:
        token = csrf_token(other)
    for route in unsafe_routes:
        check_refused(send(admin, route, {"csrf_token": token}), route)


def test_a_browser_that_is_not_signed_in_needs_a_token_too(web: str, unsafe_routes: list[PageRoute]):
    with httpx.Client(base_url=web) as anyone:
        for route in unsafe_routes:
            if route.access is None:
                check_refused(send(anyone, route, {}), route)


def send(client: httpx.Client, route: PageRoute, body: dict[str, str]) -> httpx.Response:
    query = {"project": "1"} if route.is_of_a_project else {}
    return client.request(route.method, route.path, params=query, data=body, follow_redirects=False)


def check_refused(answer: httpx.Response, route: PageRoute) -> None:
    assert answer.status_code == 400, route
    assert REFUSED in answer.text, route


def test_a_token_may_come_in_a_header(admin: httpx.Client):
    token = csrf_token(admin)
    assert admin.post("/logout", headers={"X-CSRFToken": token}, follow_redirects=False).status_code == 303


def test_a_file_in_place_of_a_text_is_refused(admin: httpx.Client, unsafe_routes: list[PageRoute]):
    token = csrf_token(admin)
    for route in unsafe_routes:
        query = {"project": "1"} if route.is_of_a_project else {}
        files = dict.fromkeys(("email", "password", "current", "name", "version_hash", "once"), ("file", b"x"))
        answer = admin.request(route.method, route.path, params=query, data={"csrf_token": token}, files=files)
        assert answer.status_code == 400, route


def test_over_https_the_form_must_come_from_this_host(app: Flask):
    client = app.test_client()
    here = "https://analytics.example.com"
    page = client.get("/login", base_url=here)
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    statuses = [
        client.post("/logout", base_url=here, data={"csrf_token": token}, headers=headers).status_code
        for headers in ({}, {"Referer": "https://evil.example/"}, {"Referer": f"{here}/login"})
    ]
    assert statuses == [400, 400, 303]


def test_the_api_has_no_use_for_tokens(web: str):
    assert httpx.post(f"{web}/api/v1/prompts/analytics").status_code == 401
