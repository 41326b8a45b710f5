"""What people see when something goes wrong; the API's envelope is for programs."""

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.web.application import create_app
from app.web.pages.access.session_cookie import SESSION_ID, session_serializer
from config.settings import load_settings
from tests.sign_in import signed_in_client, submit

SECRET_KEY = "s" * 32
NOWHERE = "127.0.0.1:1"


def app_with(**settings: str) -> Flask:
    return create_app(load_settings({"SECRET_KEY": SECRET_KEY, **settings}))


def signed_in(app: Flask) -> FlaskClient:
    """With a cookie that PostgreSQL would have to look up."""
    client = app.test_client()
    client.set_cookie("session", session_serializer(SECRET_KEY).dumps({SESSION_ID: "x"}), domain="localhost")
    return client


def test_without_postgresql_a_page_says_so(redis_url: str, caplog: pytest.LogCaptureFixture):
    answer = signed_in(app_with(DATABASE_URL=f"postgres://{NOWHERE}/x", REDIS_URL=redis_url)).get("/account")
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "Not available right now" in answer.text
    assert "PostgreSQL does not answer" in answer.text
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    (told,) = [record for record in caplog.records if "did not answer" in record.message]
    assert told.__dict__["see"] == "docs/runbook.md#postgresql"


def test_a_page_that_a_server_failed_tries_again_unless_something_was_to_be_changed(redis_url: str):
    visitor = signed_in(app_with(DATABASE_URL=f"postgres://{NOWHERE}/x", REDIS_URL=redis_url))
    asked, sent = visitor.get("/account?a=1&b=2"), visitor.post("/account")
    assert (asked.status_code, sent.status_code) == (503, 503)
    assert '<a class="button primary" href="/account?a=1&amp;b=2">Try again</a>' in asked.text
    assert 'id="retry"' in asked.text
    assert "retry" not in sent.text


def test_without_redis_nobody_signs_in_but_is_told_why(database_url: str):
    client = app_with(DATABASE_URL=database_url, REDIS_URL=f"redis://{NOWHERE}").test_client()
    token = client.get("/login").text.split('name="csrf_token" value="')[1].split('"')[0]
    answer = client.post("/login", data={"csrf_token": token, "email": "a@example.com", "password": "x"})
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "Redis does not answer" in answer.text


def test_a_fault_of_ours_is_a_page_that_tells_nothing(database_url: str, redis_url: str):
    app = app_with(DATABASE_URL=database_url, REDIS_URL=redis_url)

    @app.get("/dashboard/fails")
    def fails() -> str:
        raise ZeroDivisionError("a secret in a message")

    answer = app.test_client().get("/dashboard/fails")
    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert "Something went wrong" in answer.text
    assert "secret" not in answer.text


@pytest.mark.parametrize("path", ["/dashboardx", "/login/link", "/accounts"])
def test_an_unknown_page_is_a_page(web: str, path: str):
    answer = httpx.get(web + path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_an_unknown_page_tells_once_what_was_still_to_be_told(
    web: str, database_url: str, clean_redis: None, clean_database: None
):
    with signed_in_client(web, database_url) as client:
        submit(client, "/dashboard/system/dead-letters/discard?project=1", {"reason": "none"})
        first, second = (client.get("/dashboard/nowhere") for _ in range(2))
    assert (first.status_code, second.status_code) == (404, 404)
    assert "Discarded: 0." in first.text
    assert "Discarded: 0." not in second.text


def test_an_unknown_path_elsewhere_stays_in_the_envelope(web: str):
    assert httpx.get(f"{web}/assets/x/y").json()["error"]["code"] == "NOT_FOUND"
