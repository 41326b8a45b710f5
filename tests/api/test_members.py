"""Members of a project and new projects."""

import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import psycopg
import pytest

from app.core.accounts.members import Invitation, change_role
from app.core.accounts.members import invite as core_invite
from app.core.errors import LastAdmin
from app.core.queries.audit_log import COMMAND_LINE
from tests import accounts
from tests.accounts import link_in
from tests.commands import select
from tests.sign_in import add_member, create_project, create_user, csrf_token, signed_in_client, submit
from tests.waiting import wait_until

MEMBERS = "/dashboard/members?project=1"
SELECT_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leaves' AND wait_event_type = 'Lock'"
ROLES = "SELECT email, role FROM memberships JOIN users ON users.id = user_id WHERE project_id = 1 ORDER BY email"

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture
def admin(clean_database: None, web: str, database_url: str) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url, email="admin@example.com") as client:
        yield client


def invite(admin: httpx.Client, email: str, role: str = "member") -> httpx.Response:
    return accounts.invite(admin, email, role, path=MEMBERS)


def test_an_invitation_makes_a_user_and_shows_a_link_that_lets_them_in(
    admin: httpx.Client, web: str, database_url: str
):
    answer = invite(admin, " New@Example.com ", "admin")
    link = link_in(answer)
    assert answer.status_code == 200
    assert link
    assert link.startswith(f"{web}/login/link/")
    assert link_in(admin.get(MEMBERS)) is None
    with httpx.Client(follow_redirects=False) as invited:
        data = {"password": "a long password", "again": "a long password"}
        assert invited.post(link, data={"csrf_token": csrf_token(invited, link), **data}).status_code == 303
        assert invited.get(f"{web}{MEMBERS}").status_code == 200
    assert select(database_url, ROLES) == [("New@Example.com", "admin"), ("admin@example.com", "admin")]


def test_the_list_can_be_downloaded(admin: httpx.Client):
    invite(admin, "=cmd()@example.com")
    answer = admin.get("/dashboard/members.csv?project=1")
    found = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["email"], row["state"], row["role"]) for row in found] == [
        ("'=cmd()@example.com", "invited", "member"),
        ("admin@example.com", "active", "admin"),
    ]
    assert all(datetime.fromisoformat(row["since"]) <= datetime.now(UTC) for row in found)


def test_a_user_whom_an_operator_confirmed_is_let_in_without_a_link(admin: httpx.Client, database_url: str):
    create_user(database_url, "known@example.com", is_operator=True)
    answer = invite(admin, "KNOWN@example.com")
    assert answer.status_code == 303
    assert "known@example.com is in this project now" in admin.get(MEMBERS).text
    assert ("known@example.com", "member") in select(database_url, ROLES)


def test_who_is_in_already_stays_what_they_are(admin: httpx.Client, database_url: str):
    invite(admin, "admin@example.com", "member")
    assert "is in this project already" in admin.get(MEMBERS).text
    assert select(database_url, ROLES) == [("admin@example.com", "admin")]


def test_a_second_invitation_gives_a_new_link_in_place_of_the_first(admin: httpx.Client):
    first, second = link_in(invite(admin, "new@example.com")), link_in(invite(admin, "new@example.com"))
    assert first
    assert second
    assert [httpx.get(link).status_code for link in (first, second)] == [404, 200]


def test_two_invitations_of_the_same_person_at_once_make_one_user(admin: httpx.Client, database_url: str):
    def invite_late() -> Invitation:
        with psycopg.connect(database_url, autocommit=True, application_name="leaves") as connection:
            return core_invite(connection, 1, "new@example.com", "member", COMMAND_LINE)

    with ThreadPoolExecutor(1) as pool, psycopg.connect(database_url, autocommit=True) as connection:
        with connection.transaction():
            core_invite(connection, 1, "New@example.com", "member", COMMAND_LINE)
            late = pool.submit(invite_late)
            wait_until(lambda: late.done() or select(database_url, SELECT_WAITING) == [(1,)])
        invitation = late.result(timeout=10)
    assert (invitation.email, invitation.was_member) == ("New@example.com", False)
    assert httpx.get(f"{admin.base_url}/login/link/{invitation.token}").status_code == 200


def test_who_is_invited_can_be_made_an_admin_and_taken_back_before_they_come(admin: httpx.Client, database_url: str):
    link = link_in(invite(admin, "new@example.com"))
    assert link
    user_id = create_user(database_url, "new@example.com")
    assert submit(admin, f"/dashboard/members/{user_id}/role?project=1", {"role": "admin"}).status_code == 303
    assert select(database_url, "SELECT role FROM invitations") == [("admin",)]
    assert submit(admin, f"/dashboard/members/{user_id}/remove?project=1").status_code == 303
    assert select(database_url, "SELECT role FROM invitations") == []
    assert httpx.get(link).status_code == 404


def test_an_admin_who_is_only_invited_is_not_the_one_that_a_project_keeps(admin: httpx.Client, database_url: str):
    invite(admin, "new@example.com", "admin")
    submit(admin, "/dashboard/members/1/remove?project=1")
    assert "keeps at least one admin" in admin.get(MEMBERS).text


@pytest.mark.parametrize("email", ["", "nobody", "a b@example.com", "a@b\x00c", "x" * 250 + "@example.com"])
def test_what_is_no_email_address_is_not_invited(admin: httpx.Client, database_url: str, email: str):
    assert invite(admin, email).status_code == 400
    assert len(select(database_url, "SELECT id FROM users")) == 1


def test_nobody_gets_a_role_that_there_is_not(admin: httpx.Client, database_url: str):
    assert invite(admin, "new@example.com", "owner").status_code == 400
    assert submit(admin, "/dashboard/members/1/role?project=1", {"role": "owner"}).status_code == 400


def test_an_email_is_shown_as_text(admin: httpx.Client):
    invite(admin, "<script>alert(1)</script>@example.com")
    text = admin.get(MEMBERS).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;@example.com" in text


def test_the_last_admin_stays(admin: httpx.Client, database_url: str):
    add_member(database_url, 1, create_user(database_url, "member@example.com"), "member")
    for path, data in (("1/role", {"role": "member"}), ("1/remove", {})):
        assert submit(admin, f"/dashboard/members/{path}?project=1", data).status_code == 303
        assert "keeps at least one admin" in admin.get(MEMBERS).text
    assert ("admin@example.com", "admin") in select(database_url, ROLES)


def test_an_admin_who_steps_down_is_led_to_what_they_may_still_see(admin: httpx.Client, database_url: str):
    add_member(database_url, 1, create_user(database_url, "other@example.com"), "admin")
    answer = submit(admin, "/dashboard/members/1/role?project=1", {"role": "member"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert admin.get(MEMBERS).status_code == 403


def test_of_two_last_admins_who_leave_at_once_one_stays(database_url: str):
    project_id = create_project(database_url, "p")
    first, second = (create_user(database_url, f"{name}@example.com") for name in "ab")
    for user_id in (first, second):
        add_member(database_url, project_id, user_id, "admin")

    def leave() -> None:
        with psycopg.connect(database_url, autocommit=True, application_name="leaves") as connection:
            change_role(connection, project_id, second, "member", COMMAND_LINE)

    with ThreadPoolExecutor(1) as pool, psycopg.connect(database_url, autocommit=True) as connection:
        with connection.transaction():
            change_role(connection, project_id, first, "member", COMMAND_LINE)
            leaving = pool.submit(leave)
            wait_until(lambda: leaving.done() or select(database_url, SELECT_WAITING) == [(1,)])
        with pytest.raises(LastAdmin):
            leaving.result(timeout=10)


def test_somebody_who_is_not_in_the_project_cannot_be_changed_or_removed(admin: httpx.Client, database_url: str):
    other_project = create_project(database_url, "other")
    stranger = create_user(database_url, "stranger@example.com")
    add_member(database_url, other_project, stranger, "member")
    for user_id in (stranger, 999, 2**31, 2**70):
        for path, data in (("role", {"role": "admin"}), ("remove", {})):
            assert submit(admin, f"/dashboard/members/{user_id}/{path}?project=1", data).status_code == 404
    assert select(database_url, "SELECT role FROM memberships WHERE project_id <> 1") == [("member",)]


def test_an_operator_makes_projects_and_others_do_not(web: str, database_url: str, admin: httpx.Client):
    assert admin.get("/dashboard/projects").status_code == 403
    assert submit(admin, "/dashboard/projects", {"name": "mine"}).status_code == 403
    with signed_in_client(web, database_url, email="root@example.com", is_operator=True) as operator:
        made = submit(operator, "/dashboard/projects", {"name": " Support bot "})
        assert made.status_code == 303
        project_id = made.headers["Location"].removeprefix("/dashboard?project=")
        assert operator.get(f"/dashboard/members?project={project_id}").status_code == 200
        assert submit(operator, "/dashboard/projects", {"name": "Support bot"}).status_code == 400
        for nothing in ("", "   ", "a\0b", "\u202e", "x" * 201):
            assert submit(operator, "/dashboard/projects", {"name": nothing}).status_code == 400


def test_an_operator_takes_over_a_project_that_was_made_with_its_first_key_only(web: str, database_url: str):
    with signed_in_client(web, database_url, email="root@example.com", is_operator=True) as operator:
        project_id = create_project(database_url, "of a key")
        made = submit(operator, "/dashboard/projects", {"name": "of a key"})
        assert made.headers["Location"] == f"/dashboard?project={project_id}"


def test_the_switcher_lists_the_users_projects_and_no_other(web: str, database_url: str, admin: httpx.Client):
    create_project(database_url, "secret project")
    mine = create_project(database_url, "my second one")
    add_member(database_url, mine, create_user(database_url, "admin@example.com"), "member")
    text = admin.get(MEMBERS).text
    assert "my second one" in text
    assert f'href="/dashboard?project={mine}"' in text
    assert "secret project" not in text
