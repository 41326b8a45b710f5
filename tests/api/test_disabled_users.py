"""Users who were disabled, and operators who are none any more: what they had open ends at once."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from app.core.accounts.links import make_link_for
from app.core.accounts.passwords import hash_password
from app.core.accounts.sessions import begin_session
from app.core.accounts.users import disable_user
from app.core.errors import PasswordChanged, UserDisabled
from app.core.queries.audit_log import COMMAND_LINE
from tests.accounts import invite, sign_in
from tests.audit_log import entries
from tests.commands import run_command
from tests.processes import SECRET_KEY
from tests.sessions import is_signed_in
from tests.sign_in import add_member, client_of, create_project, create_user, signed_in_client

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture
def user_id(clean_database: None, database_url: str) -> int:
    user_id = create_user(database_url, EMAIL, password_hash=hash_password(PASSWORD))
    add_member(database_url, create_project(database_url, "demo"), user_id, "admin")
    return user_id


@pytest.fixture
def browser(web: str, database_url: str, user_id: int) -> Iterator[httpx.Client]:
    with client_of(web, database_url, user_id) as client:
        yield client


def users(database_url: str, redis_url: str, *arguments: str) -> str:
    servers = {"database_url": database_url, "redis_url": redis_url, "secret_key": SECRET_KEY}
    done = run_command("users", *arguments, **servers)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_disabled_user_is_out_at_once_and_gets_in_no_more(
    web: str, database_url: str, redis_url: str, browser: httpx.Client
):
    link = users(database_url, redis_url, "link", "--email", EMAIL).strip()
    assert is_signed_in(browser)
    users(database_url, redis_url, "disable", EMAIL.upper())
    assert not is_signed_in(browser)
    assert httpx.get(web + link).status_code == 404
    with httpx.Client(base_url=web) as again:
        answer = sign_in(again, EMAIL, PASSWORD)
        assert (answer.status_code, "Email or password is wrong." in answer.text) == (401, True)
    users(database_url, redis_url, "enable", EMAIL)
    assert not is_signed_in(browser)
    assert httpx.get(web + link).status_code == 404
    with httpx.Client(base_url=web) as again:
        assert sign_in(again, EMAIL, PASSWORD).status_code == 303
    assert [(action, actor) for action, actor, _, _ in entries(database_url)] == [
        ("link made", "command line"),
        ("user disabled", "command line"),
        ("sign-in failed", None),
        ("user enabled", "command line"),
        ("signed in", EMAIL),
    ]


def test_nothing_lets_a_disabled_user_in_by_the_side(web: str, database_url: str, user_id: int):
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("SELECT password_hash FROM users WHERE id = %s", [user_id]).fetchone()
        assert row is not None
        disable_user(connection, EMAIL, COMMAND_LINE)
        with pytest.raises(PasswordChanged):
            begin_session(connection, user_id, row[0])
        with pytest.raises(UserDisabled):
            make_link_for(connection, EMAIL, COMMAND_LINE)
    with signed_in_client(web, database_url, project="other", email="admin@other.example") as admin:
        answer = invite(admin, EMAIL, path="/dashboard/members?project=2")
        assert (answer.status_code, "disabled this user" in answer.text) == (400, True)
        add_member(database_url, 2, user_id, "member")
        assert ">disabled<" in admin.get("/dashboard/members?project=2").text


def test_a_session_that_was_kept_is_worth_nothing_while_its_user_is_disabled(
    database_url: str, browser: httpx.Client, user_id: int
):
    assert is_signed_in(browser)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE users SET disabled_at = now()")
    assert not is_signed_in(browser)


def test_an_operator_who_is_none_any_more_is_signed_out_and_sees_only_the_own_projects(
    web: str, database_url: str, redis_url: str, user_id: int
):
    create_project(database_url, "secret project")
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE users SET confirmed_at = now()")
    users(database_url, redis_url, "make-operator", EMAIL)
    with client_of(web, database_url, user_id) as operator:
        assert "secret project" in operator.get("/dashboard").text
        users(database_url, redis_url, "revoke-operator", EMAIL)
        assert not is_signed_in(operator)
    with client_of(web, database_url, user_id) as again:
        assert "secret project" not in again.get("/dashboard").text
        assert again.get("/dashboard/projects").status_code == 403
    assert [action for action, *_ in entries(database_url)] == ["operator made", "operator revoked"]
