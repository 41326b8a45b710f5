"""The session: its cookie, and how it ends."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import argon2
import httpx
import psycopg
import pytest
from flask import Flask, session
from flask.sessions import NullSession

from app.core.accounts.passwords import hash_password, needs_new_hash
from app.core.accounts.sessions import begin_session
from app.core.accounts.users import change_password
from app.core.errors import PasswordChanged
from app.core.queries.users import select_password_hash, update_password_hash
from app.web.application import create_app
from app.web.pages.access.session_cookie import session_serializer
from config.settings import load_settings
from tests.commands import select as command_select
from tests.sign_in import add_member, client_of, create_project, create_user, csrf_token, submit
from tests.waiting import wait_until

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"
SELECT_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'begins' AND wait_event_type = 'Lock'"

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture(scope="module")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def user_id(clean_database: None, database_url: str, password_hash: str) -> int:
    user_id = create_user(database_url, EMAIL, password_hash=password_hash)
    add_member(database_url, create_project(database_url, "demo"), user_id, "admin")
    return user_id


@pytest.fixture
def browser(web: str, database_url: str, user_id: int) -> Iterator[httpx.Client]:
    with client_of(web, database_url, user_id) as client:
        client.follow_redirects = False
        yield client


@pytest.fixture(scope="module")
def app(database_url: str, redis_url: str) -> Flask:
    return create_app(load_settings({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "s" * 32}))


def is_signed_in(client: httpx.Client) -> bool:
    return client.get("/account", follow_redirects=False).status_code == 200


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


def test_another_password_ends_all_other_sessions(web: str, database_url: str, browser: httpx.Client, user_id: int):
    with client_of(web, database_url, user_id) as elsewhere:
        cookies = dict(browser.cookies)
        form = {"current": PASSWORD, "password": "another password", "again": "another password"}
        assert submit(browser, "/account", form).status_code == 303
        assert is_signed_in(browser)
        assert not is_signed_in(elsewhere)
        with httpx.Client(base_url=web, cookies=cookies) as replaying:
            assert not is_signed_in(replaying)


def test_a_session_that_begins_while_the_password_is_changed_does_not_outlive_it(
    database_url: str, user_id: int, password_hash: str
):
    def begin_late() -> str:
        with psycopg.connect(database_url, autocommit=True, application_name="begins") as connection:
            return begin_session(connection, user_id, password_hash)

    with ThreadPoolExecutor(1) as pool, psycopg.connect(database_url, autocommit=True) as connection:
        with connection.transaction():
            change_password(connection, user_id, password_hash, "another hash")
            late = pool.submit(begin_late)
            wait_until(lambda: late.done() or command_select(database_url, SELECT_WAITING) == [(1,)])
        with pytest.raises(PasswordChanged):
            late.result(timeout=10)
    assert select(database_url, "1") == []


def test_of_two_who_know_the_old_password_the_second_does_not_set_another(
    database_url: str, user_id: int, password_hash: str
):
    with psycopg.connect(database_url, autocommit=True) as connection:
        change_password(connection, user_id, password_hash, "hash of the first")
        with pytest.raises(PasswordChanged):
            change_password(connection, user_id, password_hash, "hash of the second")
        assert select_password_hash(connection, user_id) == "hash of the first"


def test_a_hash_of_older_parameters_is_renewed_when_its_user_signs_in(web: str, database_url: str, user_id: int):
    weaker = argon2.PasswordHasher(time_cost=1).hash(PASSWORD)
    with psycopg.connect(database_url) as connection:
        update_password_hash(connection, user_id, weaker)
    with httpx.Client(base_url=web) as client:
        for _ in range(2):
            data = {"csrf_token": csrf_token(client, "/login"), "email": EMAIL, "password": PASSWORD}
            assert client.post("/login", data=data).status_code == 303
            assert is_signed_in(client)
            client.cookies.clear()
    with psycopg.connect(database_url) as connection:
        stored = select_password_hash(connection, user_id)
    assert stored is not None
    assert stored != weaker
    assert not needs_new_hash(stored)


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"current": "wrong", "password": "another password", "again": "another password"}, "not your current"),
        ({"current": PASSWORD, "password": "short", "again": "short"}, "at least 12 characters"),
        ({"current": PASSWORD, "password": "x" * 1_025, "again": "x" * 1_025}, "at most 1,024 bytes"),
        ({"current": PASSWORD, "password": "another password", "again": "different one"}, "not the same"),
        ({}, "Enter your current password"),
    ],
)
def test_a_password_is_changed_only_as_the_rules_say(browser: httpx.Client, form: dict[str, object], problem: str):
    answer = submit(browser, "/account", form)
    assert (answer.status_code, problem in answer.text) == (400, True)
    assert PASSWORD not in answer.text


def test_guessing_the_current_password_is_slowed_down(browser: httpx.Client):
    form = {"current": "wrong", "password": "another password", "again": "another password"}
    assert [submit(browser, "/account", form).status_code for _ in range(11)] == [400] * 10 + [429]


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


def select(database_url: str, expression: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(f"SELECT {expression} FROM sessions".encode()).fetchall()  # noqa: S608 - the same


def test_routes_of_the_api_do_not_even_read_the_cookie(app: Flask):
    cookie = {"Cookie": f"session={session_serializer('s' * 32).dumps({'sid': 'x'})}"}
    for path, is_opened in (("/account", True), ("/api/v1/prompts/analytics", False), ("/healthz", False)):
        with app.test_request_context(path, headers=cookie):
            app.preprocess_request()
            assert (session.get("sid") == "x") == is_opened
            assert isinstance(session, NullSession) != is_opened
