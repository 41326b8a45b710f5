"""Single events of a prompt: which ones, in which order, and all of them as CSV."""

import csv
import io
import re
from datetime import timedelta
from html import unescape
from uuid import UUID

import httpx
import pytest

from app.core.analytics.single_events import MOST_EVENTS
from tests.prompt_page import PATH, TAG
from tests.sign_in import create_project, page_of
from tests.stored_events import an_event, store_events

EVENTS = f"{PATH}/events"
LATENCY, COST, SCORE = "Latency", "Cost", "Score"
NBSP = "\N{NO-BREAK SPACE}"

pytestmark = pytest.mark.usefixtures("clean_redis")


def column(page: str, label: str) -> list[str]:
    cells = re.findall(rf'<td data-label="{label}"[^>]*>(.*?)</td>', page)
    return [unescape(TAG.sub("", cell)).replace(NBSP, " ") for cell in cells]


def store_some(database_url: str, project_id: int) -> None:
    """Over three days, of two versions and another prompt; the last one carries nothing."""
    store_events(
        database_url,
        [
            an_event(project_id, timedelta(days=2), version="a", latency_ms="900", cost_usd="0.002", score="0.1"),
            an_event(project_id, timedelta(days=1), version="b", latency_ms="100.25", cost_usd="0.0031", score="-1"),
            an_event(project_id, timedelta(minutes=9), version="a", latency_ms="500", cost_usd="0.001", score="0.9"),
            an_event(project_id, timedelta(minutes=4), version="b"),
            an_event(project_id, prompt=UUID(int=7), version="b", latency_ms="7777", cost_usd="7", score="-7"),
        ],
    )


@pytest.mark.parametrize(
    ("by", "label", "expected"),
    [
        ("latest", LATENCY, ["\N{EN DASH}", "500.00 ms", "100.25 ms", "900.00 ms"]),
        ("nonsense", LATENCY, ["\N{EN DASH}", "500.00 ms", "100.25 ms", "900.00 ms"]),
        ("slowest", LATENCY, ["900.00 ms", "500.00 ms", "100.25 ms"]),
        ("dearest", COST, ["$0.0031", "$0.0020", "$0.0010"]),
        ("lowest", SCORE, ["\N{MINUS SIGN}1.0", "0.1", "0.9"]),
    ],
)
def test_events_stand_with_their_fields_in_the_order_asked_for(
    database_url: str, project_id: int, member: httpx.Client, *, by: str, label: str, expected: list[str]
):
    store_some(database_url, project_id)
    page = page_of(member, EVENTS, range="7d", by=by)
    assert column(page, label) == expected
    assert "Looked at all since" in page


def test_they_are_those_of_a_range_and_of_the_versions_that_the_address_names(
    database_url: str, project_id: int, member: httpx.Client
):
    store_some(database_url, project_id)
    assert column(page_of(member, EVENTS, range="1h"), "Version") == ["b", "a"]
    assert column(page_of(member, EVENTS, range="7d", version="b", by="slowest"), LATENCY) == ["100.25 ms"]
    link = re.search(r'href="([^"]+)">Single events', page_of(member, PATH, range="7d", version="b", sort="cost"))
    assert link
    assert column(member.get(unescape(link[1])).text, "Version") == ["b", "b"]


def test_at_most_so_many_are_listed_and_it_says_since_when_it_looked(
    database_url: str, project_id: int, member: httpx.Client
):
    many = [an_event(project_id, timedelta(minutes=1, seconds=number)) for number in range(MOST_EVENTS + 1)]
    store_events(database_url, [*many, an_event(project_id, timedelta(days=3), latency_ms="1")])
    latest, slowest = (page_of(member, EVENTS, range="7d", by=by) for by in ("latest", "slowest"))
    assert len(column(latest, "Event")) == MOST_EVENTS
    assert f"at most {MOST_EVENTS}" in latest
    assert column(slowest, LATENCY) == ["1 ms"]
    since = [re.search(r"Looked at all since ([\d-]+)", page) for page in (latest, slowest)]
    assert all(since)
    assert max(since, key=lambda found: found[1] if found else "") is since[0]


def test_a_range_without_such_events_says_so(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(project_id)])
    assert "No events with a score in the last 24 h" in page_of(member, EVENTS, by="lowest")


@pytest.mark.parametrize("path", [EVENTS, f"{EVENTS}.csv"])
def test_what_is_not_there_is_not_found(database_url: str, project_id: int, member: httpx.Client, path: str):
    assert member.get(path, params={"project": "1"}).status_code == 404
    store_some(database_url, project_id)
    assert member.get(path, params={"project": "1", "version": "other"}).status_code == 404
    store_events(database_url, [an_event(create_project(database_url, "other"), prompt=UUID(int=9))])
    assert member.get(path.replace(PATH, f"/dashboard/prompts/{UUID(int=9)}"), params={"project": "1"}).is_error


def test_raw_events_are_downloaded_of_a_prompt_or_of_versions(database_url: str, project_id: int, member: httpx.Client):
    store_some(database_url, project_id)

    def downloaded(**params: str) -> list[tuple[str, str]]:
        answer = member.get(f"{EVENTS}.csv", params={"project": "1", "range": "7d", **params})
        assert answer.status_code == 200, answer.text
        rows = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
        return [(row["version_hash"], row["latency_ms"]) for row in rows]

    assert downloaded() == [("a", "900"), ("b", "100.25"), ("a", "500"), ("b", "")]
    assert downloaded(version="a") == [("a", "900"), ("a", "500")]
    assert member.get(f"{EVENTS}.csv", params={"project": "1", "range": "90d"}).status_code == 400
