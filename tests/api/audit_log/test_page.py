"""/dashboard/audit-log: who sees which entries, page by page and as CSV."""

import html
import re

import httpx
import psycopg
import pytest

from tests.audit_log import PAGE, actions, downloaded
from tests.sign_in import add_member, create_user, signed_in_client
from tests.system_page import text

INSERT = """
INSERT INTO audit_log (action, actor, subject, project_id, user_id, occurred_at)
VALUES (%s, %s, %s, %s, %s, now() + make_interval(secs => %s))
"""

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


def write(
    database_url: str,
    *rows: tuple[str, str | None, str | None, int | None, int | None],
    times: int = 1,
    after_seconds: int = 0,
) -> None:
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.executemany(INSERT, [(*row, after_seconds) for row in rows for _ in range(times)])


def older(answer: httpx.Response) -> str | None:
    found = re.search(r'href="([^"]+)">Older<', answer.text)
    return html.unescape(found[1]) if found else None


def test_an_admin_sees_the_own_project_and_what_its_members_do_with_their_sign_ins(
    database_url: str, admin: httpx.Client, operator: httpx.Client
):
    member, stranger = (create_user(database_url, f"{name}@example.com") for name in ("member", "stranger"))
    write(database_url, ("signed in", "member@example.com", None, None, member), after_seconds=-3_600)
    add_member(database_url, 1, member, "member")
    write(
        database_url,
        ("key made", "admin@one.example", "ours", 1, None),
        ("key made", "root@two.example", "theirs", 2, None),
        ("signed out", "member@example.com", None, None, member),
        ("signed in", "stranger@example.com", None, None, stranger),
        ("sign-in failed", None, None, None, None),
        after_seconds=1,
    )
    assert [(row["action"], row["subject"]) for row in downloaded(admin)] == [("signed out", ""), ("key made", "ours")]
    shown = text(admin.get(PAGE))
    assert "ours" in shown
    assert not {"theirs", "stranger@example.com"} & set(shown.split())
    assert actions(operator) == ["sign-in failed", "signed in", "signed out", "key made", "key made", "signed in"]


def test_an_admin_learns_no_address_of_a_members_sign_ins_and_nothing_of_an_operators(
    database_url: str, admin: httpx.Client, operator: httpx.Client
):
    for email, is_operator in (("member@example.com", False), ("root@two.example", True)):
        user_id = create_user(database_url, email, is_operator=is_operator)
        add_member(database_url, 1, user_id, "member")
        write(database_url, ("signed in", email, None, None, user_id), after_seconds=1)
    write(database_url, ("key made", "root@two.example", "ours", 1, None))
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE audit_log SET address = '192.0.2.7'")
    assert [(row["actor"], row["action"], row["address"]) for row in downloaded(admin)] == [
        ("root@two.example", "key made", "192.0.2.7"),
        ("member@example.com", "signed in", ""),
    ]
    assert [row["address"] for row in downloaded(operator)] == ["192.0.2.7"] * 3


def test_a_member_sees_none_of_it(web: str, database_url: str, admin: httpx.Client):
    with signed_in_client(web, database_url, project="one", role="member") as member:
        assert [member.get(f"{PAGE}{end}?project=1").status_code for end in ("", ".csv")] == [403, 403]
        assert "Audit log" not in member.get("/dashboard?project=1").text
    assert f'href="{PAGE}?project=1"' in admin.get("/dashboard?project=1").text


def test_pages_lead_to_the_oldest_entry_and_the_download_has_them_all(database_url: str, admin: httpx.Client):
    write(database_url, *(("key made", None, f"key {number}", 1, None) for number in range(2_101)))
    seen: list[str] = []
    page = admin.get(PAGE)
    while (next_page := older(page)) is not None:
        seen += re.findall(r"key \d+", page.text)
        page = admin.get(next_page)
    seen += re.findall(r"key \d+", page.text)
    assert seen == [f"key {number}" for number in reversed(range(2_101))]
    assert [row["subject"] for row in downloaded(admin)] == seen
    assert "Newest" in page.text


def test_it_is_filtered_by_what_and_by_who_also_on_the_next_page_and_in_the_download(
    database_url: str, admin: httpx.Client
):
    write(database_url, ("key made", "Ada@example.com", "%_x", 1, None), times=60)
    write(database_url, ("key revoked", "Ada@example.com", "y", 1, None), ("key made", "bob@example.com", "z", 1, None))
    page = admin.get(PAGE, params={"action": "key made", "q": "ADA@"})
    next_page = older(page)
    assert next_page is not None
    for answer in (page, admin.get(next_page)):
        shown = text(answer).partition("On what Who")[2]
        assert "Ada@example.com" in shown
        assert "bob@example.com" not in shown
        assert "key revoked" not in shown
    assert len(downloaded(admin, action="key made", q="ada@")) == 60
    assert len(downloaded(admin, q="%_")) == 60
    assert "Nothing like that" in admin.get(PAGE, params={"q": "nobody at all"}).text


@pytest.mark.parametrize("before", ["", "-1", "x", "\u0661", "9" * 400, "1e3"])
def test_nonsense_in_the_address_is_no_filter(database_url: str, admin: httpx.Client, before: str):
    write(database_url, ("key made", None, "ours", 1, None))
    answer = admin.get(PAGE, params={"before": before, "action": "nothing\0", "q": "\0"})
    assert answer.status_code == 200
    assert "ours" in answer.text


def test_what_others_chose_is_shown_as_text(database_url: str, admin: httpx.Client):
    write(
        database_url, ("key made", None, "<script>alert(1)</script>\u202e", 1, None), ("key made", None, "=1", 1, None)
    )
    shown = admin.get(PAGE).text
    assert "<script>alert" not in shown
    assert "\u202e" not in shown
    assert downloaded(admin)[0]["subject"] == "'=1"
