"""Passwords that change, and what becomes of sessions then."""

from concurrent.futures import ThreadPoolExecutor

import argon2
import httpx
import psycopg
import pytest

from app.core.accounts.passwords import needs_new_hash
from app.core.accounts.sessions import begin_session
from app.core.accounts.users import change_password
from app.core.errors import PasswordChanged
from app.core.queries.audit_log import COMMAND_LINE
from app.core.queries.users import select_password_hash, update_password_hash
from tests.commands import select as command_select
from tests.sessions import EMAIL, PASSWORD, is_signed_in, select
from tests.sign_in import client_of, csrf_token, submit
from tests.waiting import wait_until

SELECT_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'begins' AND wait_event_type = 'Lock'"


pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


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
            change_password(connection, user_id, password_hash, "another hash", COMMAND_LINE)
            late = pool.submit(begin_late)
            wait_until(lambda: late.done() or command_select(database_url, SELECT_WAITING) == [(1,)])
        with pytest.raises(PasswordChanged):
            late.result(timeout=10)
    assert select(database_url, "1") == []


def test_of_two_who_know_the_old_password_the_second_does_not_set_another(
    database_url: str, user_id: int, password_hash: str
):
    with psycopg.connect(database_url, autocommit=True) as connection:
        change_password(connection, user_id, password_hash, "hash of the first", COMMAND_LINE)
        with pytest.raises(PasswordChanged):
            change_password(connection, user_id, password_hash, "hash of the second", COMMAND_LINE)
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
