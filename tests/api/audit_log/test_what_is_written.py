"""What is done through the pages is in the audit log, and no secret is."""

import re
from uuid import uuid4

import httpx
import psycopg
import pytest

from app.core.accounts.passwords import hash_password
from tests.accounts import choose_password, invite, link_in, sign_in
from tests.api_keys_page import create, key_in, send
from tests.audit_log import entries
from tests.commands import select
from tests.sign_in import add_member, create_user, submit
from tests.system_page import INSERT_DEAD_LETTER

ADMIN = "admin@one.example"
MEMBERS = "/dashboard/members?project=1"
PASSWORD = "correct horse battery"
OTHER_PASSWORD = "another password"
ALL_VALUES = "SELECT audit_log::text FROM audit_log"

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


def test_signing_in_and_out_and_failing_to(web: str, database_url: str, admin: httpx.Client):
    user_id = create_user(database_url, "ada@example.com", password_hash=hash_password(PASSWORD))
    add_member(database_url, 1, user_id, "member")
    with httpx.Client(base_url=web) as browser:
        assert sign_in(browser, "ada@example.com", OTHER_PASSWORD).status_code == 401
        assert sign_in(browser, "nobody@example.com", PASSWORD).status_code == 401
        assert sign_in(browser, PASSWORD, "typed into the wrong field").status_code == 401
        assert sign_in(browser, "Ada@example.com", PASSWORD).status_code == 303
        form = {"current": PASSWORD, "password": OTHER_PASSWORD, "again": OTHER_PASSWORD}
        assert submit(browser, "/account", {**form, "current": "a third password"}).status_code == 400
        assert submit(browser, "/account", form).status_code == 303
        assert submit(browser, "/logout").status_code == 303
    assert entries(database_url) == [
        ("sign-in failed", None, "ada@example.com", None),
        ("sign-in failed", None, None, None),
        ("signed in", "ada@example.com", None, None),
        ("password check failed", "ada@example.com", "ada@example.com", None),
        ("password changed", "ada@example.com", "ada@example.com", None),
        ("signed out", "ada@example.com", None, None),
    ]
    assert select(database_url, "SELECT items FROM audit_log WHERE items > 1") == [(2,)], "two emails that nobody has"
    assert select(database_url, "SELECT DISTINCT address FROM audit_log") == [("127.0.0.1",)]
    assert_no_secret(database_url, PASSWORD, OTHER_PASSWORD, "a third password", "nobody@")


def test_inviting_joining_changing_and_removing_members(web: str, database_url: str, admin: httpx.Client):
    link = link_in(invite(admin, "new@example.com", "admin", path=MEMBERS))
    assert link is not None
    with httpx.Client(base_url=web) as browser:
        assert choose_password(browser, link, PASSWORD).status_code == 303
    user_id = create_user(database_url, "new@example.com")
    submit(admin, f"/dashboard/members/{user_id}/role?project=1", {"role": "member"})
    submit(admin, f"/dashboard/members/{user_id}/remove?project=1")
    invite(admin, "never@example.com", path=MEMBERS)
    submit(admin, f"/dashboard/members/{create_user(database_url, 'never@example.com')}/remove?project=1")
    assert entries(database_url) == [
        ("invited", ADMIN, "new@example.com (admin)", 1),
        ("link used", "new@example.com", "new@example.com", 1),
        ("password changed", "new@example.com", "new@example.com", None),
        ("joined", "new@example.com", "new@example.com (admin)", 1),
        ("signed in", "new@example.com", None, None),
        ("role changed", ADMIN, "new@example.com (now member)", 1),
        ("member removed", ADMIN, "new@example.com", 1),
        ("invited", ADMIN, "never@example.com (member)", 1),
        ("invitation withdrawn", ADMIN, "never@example.com", 1),
    ]
    assert_no_secret(database_url, link.rpartition("/")[2], PASSWORD)


def test_making_rotating_and_revoking_keys(database_url: str, admin: httpx.Client):
    page = "/dashboard/api-keys"
    first = key_in(create(admin, name="ci"))
    second = key_in(send(admin, f"{page}/1/rotate", overlap="1h", expiry="never"))
    for _ in range(2):
        assert send(admin, f"{page}/2/revoke").status_code == 303
    written = entries(database_url)
    assert [(action, actor, project) for action, actor, _, project in written] == [
        ("key made", ADMIN, 1),
        ("key rotated", ADMIN, 1),
        ("key revoked", ADMIN, 1),
    ]
    assert all(re.match(r"ci \(eg_live_.+…\)", str(subject)) for _, _, subject, _ in written)
    assert_no_secret(database_url, first, second)


def test_what_becomes_of_dead_letters_in_one_entry_for_each_project(
    database_url: str, admin: httpx.Client, operator: httpx.Client
):
    with psycopg.connect(database_url) as connection:
        for payload, project_id in ((b"x", 1), (b"y", 1), (b"z", 1), (b"u", None)):
            connection.execute(INSERT_DEAD_LETTER, [str(uuid4()), payload, "broken", project_id])
    path = "/dashboard/system/dead-letters"
    assert submit(admin, f"{path}/1/replay?project=1").status_code == 303
    assert submit(admin, f"{path}/discard?project=1", {"reason": "broken"}).status_code == 303
    assert submit(admin, f"{path}/1/replay?project=1").status_code == 404
    assert submit(operator, f"{path}/discard", {"reason": "broken"}).status_code == 303
    assert entries(database_url) == [
        ("dead letters replayed", ADMIN, "dead letter 1", 1),
        ("dead letters discarded", ADMIN, "broken", 1),
        ("dead letters discarded", "root@two.example", "broken", None),
    ]
    assert select(database_url, "SELECT items FROM audit_log ORDER BY id") == [(1,), (2,), (1,)]


def test_a_change_that_fails_leaves_no_entry(database_url: str, admin: httpx.Client):
    submit(admin, "/dashboard/members/1/remove?project=1")
    submit(admin, "/dashboard/members/1/role?project=1", {"role": "member"})
    submit(admin, "/dashboard/members/99/remove?project=1")
    assert entries(database_url) == []


def assert_no_secret(database_url: str, *secrets: str) -> None:
    everything = str(select(database_url, ALL_VALUES))
    for secret in (*secrets, "argon2"):
        assert secret not in everything
