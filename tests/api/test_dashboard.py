"""The dashboard: the numbers of the read API, search, order, pages, and text that others chose."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from app.web.pages.layout.formatting import count, duration, money, score
from app.web.pages.layout.tables import LONGEST_SEARCH
from tests.api_keys import create_key
from tests.sign_in import create_project, page_of
from tests.stored_events import PROMPT, an_event, store_events

PATH = "/dashboard"
READ_PATH = "/api/v1/prompts/analytics"
ROW = re.compile(r'<tr data-key="([^"]+)"')
LENGTHS = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24, "90d": 90 * 24}

pytestmark = pytest.mark.usefixtures("clean_redis")


def figures(page: str) -> list[str]:
    return re.findall(r'<span class="figure-value">(.*?)</span>', page)


def rows(page: str) -> list[str]:
    return ROW.findall(page)


@pytest.mark.parametrize("key", LENGTHS)
def test_its_totals_are_those_of_the_read_api(
    web: str, database_url: str, project_id: int, member: httpx.Client, key: str
):
    ages = [timedelta(hours=hours) for hours in (0, 0.5, 0.99, 5, 23.9, 30, 100, 400, 1_000, 2_000)]
    numbers = [(f"{7**n}.5", f"0.00{n}1", f"0.{n}") for n in range(len(ages))]
    store_events(
        database_url,
        [
            an_event(project_id, age, latency_ms=latency, cost_usd=cost, score=rating)
            for age, (latency, cost, rating) in zip(ages, numbers, strict=True)
        ],
    )
    now, shown = datetime.now(UTC), figures(page_of(member, PATH, range=key))
    if datetime.now(UTC).minute != now.minute:
        now, shown = datetime.now(UTC), figures(page_of(member, PATH, range=key))
    start = now - timedelta(hours=LENGTHS[key])
    api_key = create_key(database_url, project="p", scopes=["read"])
    answer = httpx.get(
        f"{web}{READ_PATH}",
        params={"from": start.isoformat(), "to": now.isoformat()},
        headers={"Authorization": f"Bearer {api_key}"},
    )
    totals = answer.json()["data"]["totals"]
    assert totals["events"] > 0
    assert shown == [
        count(totals["events"]),
        money(totals["cost_usd"]["sum"]),
        score(totals["score"]["mean"]),
        duration(totals["latency_ms"]["p50"]),
        duration(totals["latency_ms"]["p95"]),
    ]


@pytest.mark.parametrize("cost", ["1E-400", "1E-320"])
def test_costs_too_small_for_a_float_are_answered(database_url: str, project_id: int, member: httpx.Client, cost: str):
    store_events(
        database_url, [an_event(project_id, cost_usd="1000"), an_event(project_id, timedelta(hours=30), cost_usd=cost)]
    )
    assert figures(page_of(member, PATH))[1] == "$1,000"


def test_a_project_without_events_says_how_to_send_one(web: str, member: httpx.Client):
    page = page_of(member, PATH)
    assert f"curl {web}{READ_PATH}" in page
    assert "YOUR_API_KEY" in page
    assert "/dashboard/api-keys?project=1" in page
    assert "data-chart" not in page


def test_a_range_without_events_is_not_an_empty_project(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(project_id, timedelta(hours=30))])
    page = page_of(member, PATH)
    assert "No events in the last 24 h" in page
    assert "curl" not in page
    assert len(rows(page_of(member, PATH, range="7d"))) == 1


def test_prompts_are_sorted_by_every_column(database_url: str, project_id: int, member: httpx.Client):
    one, two, three = UUID(int=1), UUID(int=2), UUID(int=3)
    store_events(
        database_url,
        [
            an_event(project_id, timedelta(minutes=9), prompt=one, cost_usd="3", latency_ms="5", score="0.1"),
            an_event(project_id, timedelta(minutes=5), prompt=two, cost_usd="1", latency_ms="50", score="-0.5"),
            *[an_event(project_id, timedelta(minutes=7), prompt=three) for _ in range(3)],
        ],
    )
    orders = {
        (sort, order): "".join(UUID(row).hex[-1] for row in rows(page_of(member, PATH, sort=sort, order=order)))
        for sort in ("prompt", "events", "cost", "score", "p50", "p95", "change", "seen")
        for order in ("asc", "desc")
    }
    assert orders == {
        ("prompt", "asc"): "123",
        ("prompt", "desc"): "321",
        ("events", "asc"): "123",
        ("events", "desc"): "312",
        # what has no data comes last in both orders
        ("cost", "asc"): "213",
        ("cost", "desc"): "123",
        ("score", "asc"): "213",
        ("score", "desc"): "123",
        ("p50", "asc"): "123",
        ("p50", "desc"): "213",
        ("p95", "asc"): "123",
        ("p95", "desc"): "213",
        # nothing is compared without a past: the order is that of events
        ("change", "asc"): "312",
        ("change", "desc"): "312",
        ("seen", "asc"): "132",
        ("seen", "desc"): "231",
    }


def test_the_sorted_column_says_so_and_its_link_turns_the_order(
    database_url: str, project_id: int, member: httpx.Client
):
    store_events(database_url, [an_event(project_id)])
    page = page_of(member, PATH, sort="cost", q="123e")
    heading = re.search(r'<th scope="col" class="number" aria-sort="descending"><a href="([^"]+)"', page)
    assert heading
    link = heading[1].replace("&amp;", "&")
    assert {"range=24h", "q=123e", "sort=cost", "order=asc", "project=1"} == set(
        link.split("?")[1].split("#")[0].split("&")
    )
    assert 'aria-sort="ascending"' in page_of(member, PATH, sort="cost", order="asc")


def test_prompts_are_found_by_id_and_name(database_url: str, project_id: int, member: httpx.Client):
    other = UUID(int=0xABC)
    store_events(database_url, [an_event(project_id), an_event(project_id, prompt=other)])
    assert rows(page_of(member, PATH, q="0ABC")) == [str(other)]
    assert rows(page_of(member, PATH, q=" 123e4567 ")) == [str(PROMPT)]
    nothing = page_of(member, PATH, q="<b>%")
    assert f'maxlength="{LONGEST_SEARCH}"' in nothing
    assert rows(nothing) == []
    assert "“&lt;b&gt;%”" in nothing


def test_prompts_come_page_by_page(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(project_id, prompt=UUID(int=n)) for n in range(1, 106)])
    pages = [page_of(member, PATH, page=number, sort="prompt") for number in ("1", "2", "3", "99", "x")]
    found = [[UUID(row).int for row in rows(page)] for page in pages]
    third = list(range(101, 106))
    assert found == [list(range(1, 51)), list(range(51, 101)), third, third, list(range(1, 51))]
    assert [re.findall(r"(\d+)\W(\d+) of 105", page) for page in pages[:3]] == [
        [("1", "50")],
        [("51", "100")],
        [("101", "105")],
    ]
    assert ['rel="next"' in page for page in pages[:3]] == [True, True, False]


@pytest.mark.parametrize(
    "arguments", [{"range": "x"}, {"from": "x"}, {"from": "2026-01-02T00:00", "to": "2026-01-01T00:00"}]
)
def test_a_range_that_makes_no_sense_is_told(member: httpx.Client, arguments: dict[str, str]):
    answer = member.get(PATH, params={"project": "1", **arguments})
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert 'aria-current="true">24 h</a>' in answer.text


@pytest.mark.parametrize("search", ["\0", "'", "%", "\\", "x" * 2_000])
def test_a_search_for_anything_is_answered(database_url: str, project_id: int, member: httpx.Client, search: str):
    store_events(database_url, [an_event(project_id)])
    page_of(member, PATH, q=search)


def test_a_search_with_broken_letters_is_answered(member: httpx.Client):
    assert member.get(f"{PATH}?project=1&q=%FF%ED%A0%80").status_code == 200


def test_another_projects_events_are_not_in_it(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(create_project(database_url, "other")), an_event(project_id)])
    assert figures(page_of(member, PATH))[0] == "1"
