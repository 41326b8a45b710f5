"""`users`: sign-ins made on the command line."""

import argon2
import psycopg
import pytest

from app.core.accounts.tokens import hash_token
from app.core.queries.invitations import upsert_invitation
from tests.api_keys import create_key
from tests.commands import Run, Succeed, fails_with_one_line, run_command, select
from tests.sign_in import add_member, create_project, create_user

SELECT_MEMBERSHIPS = """
SELECT email, name, role
  FROM memberships
  JOIN users ON users.id = user_id
  JOIN projects ON projects.id = project_id
 ORDER BY users.id, projects.id
"""


def test_users_first_makes_a_user_where_there_is_none_and_prints_the_sign_in(succeed: Succeed, database_url: str):
    dashboard, sign_in = succeed("users", "first", "--url", "http://localhost:8000").splitlines()
    assert dashboard.split() == ["Dashboard", "http://localhost:8000/login"]
    _, email, password = sign_in.split()
    ((stored, is_operator),) = select(database_url, "SELECT password_hash, is_operator FROM users")
    assert argon2.PasswordHasher().verify(str(stored), password)
    assert (email, is_operator) == ("admin@localhost", True)
    assert succeed("users", "first", "--email", "b@example.com") == "there are users already\n"
    assert select(database_url, "SELECT email FROM users") == [("admin@localhost",)]


def test_users_first_leads_to_the_public_url(succeed: Succeed):
    public_url = "https://analytics.example.org"
    printed = succeed("users", "first", "--url", "http://localhost:8000", public_url=public_url)
    assert printed.splitlines()[0].split() == ["Dashboard", f"{public_url}/login"]


def test_users_create_prints_a_password_that_is_the_stored_one(succeed: Succeed, database_url: str):
    password = succeed("users", "create", "--email", "admin@localhost")
    ((stored,),) = select(database_url, "SELECT password_hash FROM users WHERE email = 'admin@localhost'")
    assert str(stored).startswith("$argon2id$")
    assert argon2.PasswordHasher().verify(str(stored), password.strip())
    assert len(password.strip()) >= 20


def test_a_user_is_made_once_whatever_the_case(run: Run, succeed: Succeed):
    succeed("users", "create", "--email", "a@example.com")
    finished = run("users", "create", "--email", "A@Example.com")
    assert fails_with_one_line(finished) == "Error: there is already a user A@Example.com\n"


def test_a_user_made_here_is_an_operator_and_admin_of_the_only_project(succeed: Succeed, database_url: str):
    create_key(database_url, project="mine")
    succeed("users", "create", "--email", "a@example.com")
    assert select(database_url, "SELECT is_operator FROM users") == [(True,)]
    assert select(database_url, SELECT_MEMBERSHIPS) == [("a@example.com", "mine", "admin")]


def test_without_any_project_or_with_several_the_one_is_called_default(succeed: Succeed, database_url: str):
    succeed("users", "create", "--email", "a@example.com")
    create_key(database_url, project="mine")
    succeed("users", "create", "--email", "b@example.com")
    succeed("users", "create", "--email", "c@example.com", "--project", "new", "--role", "member")
    assert select(database_url, SELECT_MEMBERSHIPS) == [
        ("a@example.com", "default", "admin"),
        ("b@example.com", "default", "admin"),
        ("c@example.com", "new", "member"),
    ]


def test_a_user_is_let_into_another_project_and_the_last_admin_stays(run: Run, succeed: Succeed, database_url: str):
    succeed("users", "create", "--email", "a@example.com")
    succeed("users", "add", "--email", "A@example.com", "--project", "other", "--role", "member")
    assert ("a@example.com", "other", "member") in select(database_url, SELECT_MEMBERSHIPS)
    succeed("users", "add", "--email", "a@example.com", "--project", "other", "--role", "admin")
    assert ("a@example.com", "other", "admin") in select(database_url, SELECT_MEMBERSHIPS)
    finished = run("users", "add", "--email", "a@example.com", "--project", "other", "--role", "member")
    assert "admin" in fails_with_one_line(finished)
    unknown = run("users", "add", "--email", "b@example.com", "--project", "other")
    assert fails_with_one_line(unknown) == "Error: there is no user b@example.com\n"


def test_a_link_is_printed_as_a_path_and_the_older_one_ends(run: Run, succeed: Succeed, database_url: str):
    succeed("users", "create", "--email", "a@example.com")
    printed = [succeed("users", "link", "--email", "a@example.com").strip() for _ in range(2)]
    assert [path.startswith("/login/link/") for path in printed] == [True, True]
    hashes = select(database_url, "SELECT token_hash FROM sign_in_links")
    assert hashes == [(hash_token(printed[1].removeprefix("/login/link/")),)]
    assert "there is no user" in fails_with_one_line(run("users", "link", "--email", "b@example.com"))


def test_a_link_is_a_whole_address_where_the_service_has_one(succeed: Succeed, database_url: str, redis_url: str):
    succeed("users", "create", "--email", "a@example.com")
    settings = {"database_url": database_url, "redis_url": redis_url, "secret_key": "s" * 32}
    printed = run_command("users", "link", "--email", "a@example.com", **settings, public_url="https://a.example")
    assert printed.stdout.startswith("https://a.example/login/link/")


def test_users_are_listed_with_their_projects_and_without_secrets(succeed: Succeed, database_url: str):
    succeed("users", "create", "--email", "a@example.com", "--project", "mine")
    listed = succeed("users", "list")
    assert "a@example.com" in listed
    assert "mine (admin)" in listed
    assert "argon2" not in listed


@pytest.mark.parametrize("email", ["admin", "@example.com", "a@", "a b@example.com", "a@b\n", "a" * 250 + "@b.co"])
def test_users_create_refuses_what_is_no_email_address(run: Run, email: str):
    assert run("users", "create", "--email", email).exit_code == 2


@pytest.mark.parametrize("command", ["disable", "enable", "revoke-operator", "make-operator"])
def test_what_is_done_to_nobody_is_told_so(run: Run, command: str):
    assert fails_with_one_line(run("users", command, "a@example.com")) == "Error: there is no user a@example.com\n"
    assert run("users", command, "a").exit_code == 2


def test_done_twice_it_is_done_once(succeed: Succeed, database_url: str):
    succeed("users", "create", "--email", "a@example.com")
    for command in ("disable", "disable", "enable", "enable", "revoke-operator", "revoke-operator", "make-operator"):
        succeed("users", command, "a@example.com")
    written = select(database_url, "SELECT action FROM audit_log ORDER BY id")
    told = ["user made", "user disabled", "user enabled", "operator revoked", "operator made"]
    assert [action for (action,) in written] == told


def test_the_list_tells_who_is_disabled(succeed: Succeed):
    succeed("users", "create", "--email", "a@example.com")
    assert "enabled" in succeed("users", "list")
    succeed("users", "disable", "a@example.com")
    assert "disabled" in succeed("users", "list")


def test_nobody_becomes_an_operator_or_is_added_elsewhere_while_their_sign_in_is_not_vouched_for(
    run: Run, succeed: Succeed, database_url: str
):
    create_user(database_url, "held@example.com")
    for arguments in (("make-operator", "held@example.com"), ("add", "--email", "held@example.com", "--project", "p")):
        assert "nobody has vouched" in fails_with_one_line(run("users", *arguments))
    assert select(database_url, SELECT_MEMBERSHIPS) == []
    added = succeed("users", "add", "--email", "held@example.com", "--project", "p", "--confirm")
    assert "password chosen at an unknown time" in added
    succeed("users", "make-operator", "held@example.com")
    assert select(database_url, SELECT_MEMBERSHIPS) == [("held@example.com", "p", "admin")]


def test_whoever_confirms_reads_when_the_password_was_chosen_and_lets_its_holder_in_wherever_they_wait(
    run: Run, succeed: Succeed, database_url: str
):
    user_id = create_user(database_url, "held@example.com")
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE users SET password_changed_at = '2026-03-04 05:06:07Z'")
        for name in ("p", "waiting"):
            project_id = create_project(database_url, name)
            upsert_invitation(connection, project_id, user_id, "member")
    command = ("users", "add", "--email", "held@example.com", "--project", "p")
    assert "2026-03-04T05:06:07Z" in fails_with_one_line(run(*command))
    assert "2026-03-04T05:06:07Z" in succeed(*command, "--confirm")
    assert select(database_url, SELECT_MEMBERSHIPS) == [
        ("held@example.com", "p", "admin"),
        ("held@example.com", "waiting", "member"),
    ]


def test_who_has_no_password_yet_is_told_as_such(run: Run, database_url: str):
    create_user(database_url, "new@example.com", password_hash=None)
    finished = run("users", "add", "--email", "new@example.com", "--project", "p")
    assert "no password chosen yet" in fails_with_one_line(finished)


def test_a_member_can_be_confirmed_too(succeed: Succeed, database_url: str):
    add_member(database_url, create_project(database_url, "p"), create_user(database_url, "held@example.com"), "admin")
    succeed("users", "create", "--email", "other@example.com", "--project", "p")
    succeed("users", "add", "--email", "held@example.com", "--project", "p", "--confirm")
    succeed("users", "make-operator", "held@example.com")
