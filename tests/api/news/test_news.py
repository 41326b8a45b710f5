"""/dashboard/news and /dashboard/budgets: what members read, and what admins set."""

import csv
import io
import re
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import psycopg
import pytest

from tests.audit_log import entries
from tests.commands import select
from tests.sign_in import create_project, submit
from tests.stored_events import PROMPT, an_event, store_events
from tests.system_page import text

PAGE = "/dashboard/news"
BUDGETS = "/dashboard/budgets"
INSERT = """
INSERT INTO news (project_id, kind, subject, period, payload) VALUES (%s, %s, 'x', gen_random_uuid()::text, %s)
"""
STORED = "SELECT prompt_key = 0, usd_per_month FROM budgets ORDER BY prompt_key"

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


def write(database_url: str, kind: str, payload: str, *, project_id: int = 1) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(INSERT, [project_id, kind, payload])


def letters(count: int) -> str:
    return f'{{"letters": {count}, "reasons": ["=1"], "last_id": 1}}'


def shown(client: httpx.Client, **arguments: str) -> str:
    answer = client.get(PAGE, params={"project": "1", **arguments})
    assert answer.status_code == 200
    return str(text(answer))


def budget(client: httpx.Client, amount: str, prompt: str = "") -> httpx.Response:
    return submit(client, f"{BUDGETS}?project=1", {"prompt": prompt, "amount": amount}, follow_redirects=True)


def test_members_read_the_news_of_their_project_newest_first(member: httpx.Client, database_url: str):
    other = create_project(database_url, "other")
    assert "No news yet" in shown(member)
    for count in range(2, 63):
        write(database_url, "dead_letters", letters(count))
    write(database_url, "dead_letters", letters(99), project_id=other)
    write(database_url, "test", '{"webhook": "<script>alert(1)</script>\u202e"}')
    page = member.get(PAGE, params={"project": "1"})
    assert "<script>alert" not in page.text
    assert "\u202e" not in page.text
    older = re.search(r'href="([^"]+)">Older<', page.text)
    assert older
    pages = page.text + member.get(older[1].replace("&amp;", "&")).text
    assert re.findall(r"(\d+) events were set aside", pages) == [str(count) for count in reversed(range(2, 63))]
    assert f'href="{PAGE}?project=1"' in page.text
    assert "/dashboard/webhooks" not in page.text, "that is for admins"


def test_news_is_filtered_by_kind_also_in_the_download(member: httpx.Client, database_url: str):
    write(database_url, "dead_letters", letters(1))
    write(database_url, "silence", '{"minutes": 60, "last_event_at": "2026-11-27T09:41Z"}')
    only = shown(member, kind="silence")
    assert "No event for 60 minutes, since 2026-11-27 09:41 UTC" in only
    assert "set aside" not in only
    assert "Nothing of this kind" in shown(member, kind="budget")
    assert "set aside" in shown(member, kind="nonsense", before="x")
    answer = member.get(f"{PAGE}.csv", params={"project": "1", "kind": "dead_letters"})
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert (row["type"], row["text"][:21]) == ("dead_letters", "1 event was set aside")
    assert re.fullmatch(r"msg_[0-9a-f]{32}", row["id"])


def test_news_of_versions_has_their_whole_hashes_at_hand(member: httpx.Client, database_url: str):
    hashes = [f"{'4b1d' * 15}{number:04x}" for number in (1, 2)]
    versions = [f'{{"version_hash": "{version_hash}", "name": null}}' for version_hash in hashes]
    write(database_url, "version_worse", f'{{"candidate": {versions[0]}, "baseline": {versions[1]}, "changes": []}}')
    page = shown(member)
    labels = re.findall(r"[Vv]ersion (\S+) of .* is worse than (\S+)\.", page)[0]
    assert len(set(labels)) == 2
    assert all(len(label) < 30 for label in labels)
    for label, version_hash in zip(labels, hashes, strict=True):
        assert re.search(rf"{label}\s*{version_hash}", page)
    answer = member.get(f"{PAGE}.csv", params={"project": "1"})
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert [row["candidate_hash"], row["baseline_hash"]] == hashes


def test_an_admin_sets_budgets_and_everybody_sees_what_is_spent(
    web: str, admin: httpx.Client, member: httpx.Client, database_url: str
):
    store_events(database_url, [an_event(1, cost_usd="4.5")])
    assert "The budget is set" in text(budget(admin, "5"))
    budget(admin, "1,000.50", str(PROMPT))
    assert select(database_url, STORED) == [(True, Decimal("5.00")), (False, Decimal("1000.50"))]
    told = text(member.get(BUDGETS, params={"project": "1"}))
    assert f"Budgets of {datetime.now(UTC):%B %Y}" in told
    assert re.search(r"The whole project \$4.50 \$5.00 90\s% ", told)
    assert "Set a budget" not in told
    assert "taken away" in text(budget(admin, "", str(PROMPT)))
    assert select(database_url, STORED) == [(True, Decimal("5.00"))]
    assert [(action, subject) for action, _, subject, _ in entries(database_url)] == [
        ("budget changed", "the project (now $5.00 a month)"),
        ("budget changed", f"{PROMPT} (now $1,000.50 a month)"),
        ("budget changed", f"{PROMPT} (now none)"),
    ]


@pytest.mark.parametrize(
    "amount",
    ["0", "-1", "0.001", "abc", "NaN", "Infinity", "1e3", "99,50", "1,0,0", "9" * 20, "\u0661", "1 000", "5\0"],
)
def test_an_amount_that_is_none_is_a_400_in_words(admin: httpx.Client, database_url: str, amount: str):
    answer = budget(admin, amount)
    assert (answer.status_code, select(database_url, STORED)) == (400, [])
    assert "Must be US dollars from 0.01 on" in text(answer)


@pytest.mark.parametrize(("prompt", "status"), [("x", 400), ("\0", 400), (str(PROMPT), 404)])
def test_a_budget_of_a_prompt_that_there_is_not_is_refused(admin: httpx.Client, prompt: str, status: int):
    answer = budget(admin, "5", prompt)
    assert answer.status_code == status
    assert "There is no such prompt" in text(answer)


@pytest.mark.parametrize(("minutes", "kept"), [("5", 5), ("1440", 1_440), ("", None)])
def test_an_admin_says_when_silence_is_news(admin: httpx.Client, database_url: str, minutes: str, kept: int | None):
    assert select(database_url, "SELECT silence_minutes FROM projects") == [(60,)]
    answer = submit(admin, f"{BUDGETS}/silence?project=1", {"minutes": minutes}, follow_redirects=True)
    assert "Saved" in text(answer)
    assert select(database_url, "SELECT silence_minutes FROM projects") == [(kept,)]
    assert entries(database_url)[0][0] == "silence changed"


@pytest.mark.parametrize("minutes", ["4", "1441", "-5", "x", "5.5", "9" * 40])
def test_other_lengths_of_silence_are_a_400(admin: httpx.Client, database_url: str, minutes: str):
    answer = submit(admin, f"{BUDGETS}/silence?project=1", {"minutes": minutes})
    assert answer.status_code == 400
    assert select(database_url, "SELECT silence_minutes FROM projects") == [(60,)]
