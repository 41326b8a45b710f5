"""The session: its cookie, and how it ends."""

import httpx
import psycopg
import pytest
from flask import Flask, session
from flask.sessions import NullSession

from app.web.application import create_app
from app.web.pages.access.session_cookie import session_serializer
from config.settings import load_settings
from tests.sessions import EMAIL, PASSWORD, is_signed_in, select
from tests.sign_in import csrf_token, submit

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture(scope="module")
def app(database_url: str, redis_url: str) -> Flask:
    return create_app(load_settings({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "s" * 32}))


def test_the_cookie_is_bound_to_this_host_and_out_of_reach_of_scripts(app: Flask, user_id: int):
    client = app.test_client()
    here = "https://analytics.example.com"
    login = client.get("/login", base_url=here)
    token = login.text.split('name="csrf_token" value="')[1].split('"')[0]
    data = {"csrf_token": token, "email": EMAIL, "password": PASSWORD}
    signed_in = client.post("/login", base_url=here, data=data, headers={"Referer": f"{here}/login"})
    assert signed_in.status_code == 303
    cookies = signed_in.headers.getlist("Set-Cookie")
    assert sorted(cookie.split("=")[0] for cookie in cookies) == ["__Host-device", "__Host-session"]
    for cookie in cookies:
        attributes = {part.strip() for part in cookie.split(";")[1:]}
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= attributes
        assert not any(attribute.startswith("Domain") for attribute in attributes)
    assert client.get("/account", base_url=here).status_code == 200


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]:8000"])
def test_on_this_machine_it_works_without_https(app: Flask, host: str):
    (cookie,) = app.test_client().get("/login", base_url=f"http://{host}").headers.getlist("Set-Cookie")
    assert cookie.startswith("session=")
    assert "Secure" not in cookie
    assert "HttpOnly" in cookie


@pytest.mark.parametrize("base", ["http://analytics.example.com", "https://localhost", "http://localhost.evil.example"])
def test_everywhere_else_it_does_not(app: Flask, base: str):
    (cookie,) = app.test_client().get("/login", base_url=base).headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-session=")
    assert "Secure" in cookie


def test_signing_in_begins_a_new_session_with_another_token(web: str, browser: httpx.Client, database_url: str):
    before = dict(browser.cookies)
    with httpx.Client(base_url=web) as client:
        token = csrf_token(client, "/login")
        planted = dict(client.cookies)
        client.post("/login", data={"csrf_token": token, "email": EMAIL, "password": PASSWORD})
        assert is_signed_in(client)
        assert client.cookies["session"] not in (planted["session"], before["session"])
        assert client.post("/logout", data={"csrf_token": token}).status_code == 400
    with httpx.Client(base_url=web, cookies=planted) as stale:
        assert not is_signed_in(stale)


def test_signing_out_ends_the_session_at_the_server(web: str, browser: httpx.Client):
    assert is_signed_in(browser)
    cookies = dict(browser.cookies)
    answer = submit(browser, "/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    with httpx.Client(base_url=web, cookies=cookies) as replaying:
        assert not is_signed_in(replaying)


def test_signing_in_again_ends_the_session_that_the_browser_had(web: str, browser: httpx.Client):
    cookies = dict(browser.cookies)
    data = {"csrf_token": csrf_token(browser), "email": EMAIL, "password": PASSWORD}
    assert browser.post("/login", data=data).status_code == 303
    assert is_signed_in(browser)
    with httpx.Client(base_url=web, cookies=cookies) as replaying:
        assert not is_signed_in(replaying)


@pytest.mark.parametrize(
    "change",
    [
        "last_seen_at = now() - interval '14 days'",
        "expires_at = now(), last_seen_at = now()",
    ],
)
def test_a_session_ends_when_it_is_idle_or_old(browser: httpx.Client, database_url: str, change: str):
    assert is_signed_in(browser)
    change_sessions(database_url, change)
    assert not is_signed_in(browser)


def test_a_session_lasts_thirty_days_at_most_however_much_it_is_used(browser: httpx.Client, database_url: str):
    is_signed_in(browser)
    assert select(database_url, "expires_at - created_at = interval '30 days'") == [(True,)]


def test_that_it_is_used_is_written_every_five_minutes(browser: httpx.Client, database_url: str):
    change_sessions(database_url, "last_seen_at = now() - interval '4 minutes'")
    is_signed_in(browser)
    assert select(database_url, "now() - last_seen_at > interval '3 minutes'") == [(True,)]
    change_sessions(database_url, "last_seen_at = now() - interval '6 minutes'")
    is_signed_in(browser)
    assert select(database_url, "now() - last_seen_at > interval '3 minutes'") == [(False,)]


def test_a_page_that_changes_nothing_sets_no_cookie(browser: httpx.Client):
    csrf_token(browser)
    assert "Set-Cookie" not in browser.get("/account").headers


@pytest.mark.parametrize(("path", "varies"), [("/", False), ("/login", True), ("/dashboard/nowhere", True)])
def test_only_what_looks_at_the_session_varies_with_the_cookie(app: Flask, path: str, varies: bool):
    assert ("Cookie" in app.test_client().get(path).headers.get("Vary", "")) == varies


@pytest.mark.parametrize("value", ["", "x", "e30.x.x", "a" * 4_000])
def test_a_cookie_that_we_did_not_make_is_no_session(web: str, value: str, clean_database: None):
    assert httpx.get(f"{web}/account", headers={"Cookie": f"session={value}"}).status_code == 303


def test_a_cookie_of_another_secret_key_is_no_session(app: Flask, browser: httpx.Client):
    client = app.test_client()
    client.set_cookie("session", browser.cookies["session"], domain="localhost")
    assert client.get("/account", base_url="http://localhost").status_code == 303


def test_the_database_holds_no_session_id_that_would_open_anything(browser: httpx.Client, database_url: str):
    assert select(database_url, "octet_length(token_hash)") == [(32,)]


def change_sessions(database_url: str, change: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(f"UPDATE sessions SET {change}".encode())  # noqa: S608 - all are in this file


def test_routes_of_the_api_do_not_even_read_the_cookie(app: Flask):
    cookie = {"Cookie": f"session={session_serializer('s' * 32).dumps({'sid': 'x'})}"}
    for path, is_opened in (("/account", True), ("/api/v1/prompts/analytics", False), ("/healthz", False)):
        with app.test_request_context(path, headers=cookie):
            app.preprocess_request()
            assert (session.get("sid") == "x") == is_opened
            assert isinstance(session, NullSession) != is_opened
