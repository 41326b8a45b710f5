"""What the dashboard says of changes: the list, the cards, the column, and its CSV."""

import csv
import html
import io
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from app.core.rollups.grains import floor_to
from app.web.pages.charts.measures import FEWEST_EVENTS_BEFORE
from app.web.pages.dashboard.change_words import MOST_LINES
from tests.sign_in import create_project, page_of
from tests.stored_events import an_event, store_events
from worker.store import ReceivedEvent

PATH = "/dashboard"
STEADY, SLOWER = UUID(int=1), UUID(int=2)
LINE = re.compile(r'<li data-key="([^"]+)"><span class="badge ?([a-z]*)">([^<]*)</span> <span>(.*?)</span></li>')
NOTHING = "Nothing has changed: no new version in 14 days, and no prompt has moved against its own past."

pytestmark = pytest.mark.usefixtures("clean_redis")


def weeks_of_events(
    project_id: int, *, slower_for_days: int, dearer: int = 2, version: str = "v1"
) -> list[ReceivedEvent]:
    """Two prompts with the same events each day, of which the second got slower and dearer so many days ago."""
    midnight = floor_to("day", datetime.now(UTC))
    now = datetime.now(UTC)
    return [
        an_event(
            project_id,
            max(now - (midnight - timedelta(days=ago) + timedelta(minutes=9 * number)), timedelta(0)),
            prompt=prompt,
            version=version if ago < 5 else "v1",
            latency_ms=str((100 + number % 50 + ago % 3) * (2 if prompt == SLOWER and ago <= slower_for_days else 1)),
            cost_usd=f"0.00{(10 + number % 5) * (dearer if prompt == SLOWER and ago <= slower_for_days else 1)}",
            score="0.9",
        )
        for ago in range(38)
        for prompt in (STEADY, SLOWER)
        for number in range(150)
        if ago or 9 * number < (now - midnight) / timedelta(minutes=1)
    ]


def lines(page: str) -> dict[str, tuple[str, str, str]]:
    """Colour, badge and text of each, by key."""
    return {
        key: (kind, html.unescape(badge), re.sub("<[^>]+>", "", html.unescape(text)).replace("\N{NO-BREAK SPACE}", " "))
        for key, kind, badge, text in LINE.findall(page)
    }


def test_where_nothing_changed_it_says_so_in_one_line(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, weeks_of_events(project_id, slower_for_days=-1))
    page = page_of(member, PATH)
    assert NOTHING in page
    assert list(lines(page)) == ["spend"]
    assert 'class="change bad"' not in page
    assert 'class="change good"' not in page
    assert "Changes are against the same hours of the 4 weeks before, on average, each prompt with itself." in page


def test_a_prompt_that_moved_is_listed_with_a_link_to_where_it_shows(
    database_url: str, project_id: int, member: httpx.Client
):
    store_events(database_url, weeks_of_events(project_id, slower_for_days=7))
    page = page_of(member, PATH)
    assert NOTHING not in page
    kind, badge, text = lines(page)[f"moved-{SLOWER}"]
    assert (kind, badge) == ("bad", "worse")
    assert text.startswith(f"{SLOWER} cost 100 % more per event ($0.0012 to $0.0024) and had a p95 latency ")
    assert text.endswith("in the last 7 complete days, against the 28 before.")
    assert f"moved-{STEADY}" not in page
    link = re.search(rf'href="([^"]*/prompts/{SLOWER}[^"]*metric=[^"]*)"', page)
    assert link
    assert "range=90d" in link[1]


def test_the_month_leads_to_its_own_range(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, weeks_of_events(project_id, slower_for_days=-1))
    page = page_of(member, PATH)
    kind, badge, text = lines(page)["spend"]
    month = datetime.now(UTC)
    assert (kind, badge) == ("", "spend")
    assert re.fullmatch(rf"{month:%B} has cost \S+ so far, and about \S+ at its end if all goes on as in .*", text)
    link = re.search(r'href="([^"]*#chart-cost)"', page)
    assert link
    assert member.get(html.unescape(link[1])).status_code == 200
    assert f"from={month:%Y-%m}-01T00:00" in html.unescape(link[1]).replace("%3A", ":")


def test_a_new_version_is_listed_with_its_verdict(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, weeks_of_events(project_id, slower_for_days=4, version="v2"))
    found = lines(page_of(member, PATH))
    assert found[f"version-{STEADY}"][2].startswith(f"{STEADY} v2 against v1: ")
    assert f"version-{SLOWER}" in found


def test_every_prompt_with_a_new_version_is_found_from_the_list(
    database_url: str, project_id: int, member: httpx.Client
):
    prompts = [UUID(int=number) for number in range(1, MOST_LINES + 3)]
    store_events(
        database_url,
        [
            an_event(project_id, timedelta(days=days), prompt=prompt, version=version)
            for prompt in prompts
            for days, version in ((20, "v1"), (2, "v2"))
        ],
    )
    page = page_of(member, PATH)
    assert {key for key in lines(page) if key.startswith("version-")} == {f"version-{prompt}" for prompt in prompts}
    assert "<summary>2 more with a new version</summary>" in page


def test_first_appearances_of_versions_in_the_range_are_marked_in_the_charts(
    database_url: str, project_id: int, member: httpx.Client
):
    store_events(database_url, weeks_of_events(project_id, slower_for_days=-1, version="v2"))
    elsewhere = create_project(database_url, "elsewhere")
    store_events(database_url, [an_event(elsewhere, timedelta(days=2), version="v3")])
    week, day = (page_of(member, PATH, range=length) for length in ("7d", "24h"))
    summaries = " ".join(re.findall(r"<desc.*?</desc>", week))
    told = re.findall(r"(v\d) of (\S+) first seen", summaries)
    assert sorted(told) == [("v2", str(STEADY))] * 4 + [("v2", str(SLOWER))] * 4
    assert week.count('class="chart-marker"') == 8
    assert 'class="chart-marker"' not in day
    assert "v3" not in week


def test_what_is_clear_is_coloured_and_sorted_by(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, weeks_of_events(project_id, slower_for_days=1))
    page = page_of(member, PATH, range="24h", sort="change")
    rows = re.findall(r'<tr data-key="([^"]+)">(.*?)</tr>', page, re.DOTALL)
    assert [UUID(key) for key, _ in rows] == [SLOWER, STEADY]
    assert 'class="change bad"' in rows[0][1]
    assert "not clear" in rows[1][1]
    assert 'class="change bad"' in page.partition("</dl>")[0].partition("<dl")[2]
    table = member.get(f"{PATH}/prompts.csv", params={"project": "1", "range": "24h", "sort": "change"})
    slower, steady = csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"), newline=""))
    assert slower["changed"] in ("cost_usd", "latency_p95_ms")
    assert float(slower["change_low"]) < float(slower["change"]) < float(slower["change_high"])
    assert float(slower["change"]) == pytest.approx(1, abs=0.1)
    assert [steady[name] for name in ("changed", "change", "change_low", "change_high")] == [""] * 4


def test_a_young_project_is_compared_with_nothing(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(project_id, timedelta(hours=hours), cost_usd="1") for hours in (0, 30)])
    page = page_of(member, PATH)
    assert "Changes are against" not in page
    assert 'class="change' not in page
    assert "at its end" not in page


@pytest.mark.parametrize(("before", "is_told"), [(FEWEST_EVENTS_BEFORE - 1, False), (FEWEST_EVENTS_BEFORE, True)])
def test_a_change_from_next_to_nothing_is_not_told(
    database_url: str, project_id: int, member: httpx.Client, before: int, is_told: bool
):
    ages = [timedelta(hours=2)] * 10 * before + [timedelta(days=7, hours=2)] * before + [timedelta(days=9)]
    store_events(database_url, [an_event(project_id, age, cost_usd="0.1") for age in ages])
    figures = page_of(member, PATH, range="24h").partition("</dl>")[0]
    assert re.findall(r'<span class="change"><span aria-hidden="true">(\+\S+)', figures) == ["+900"] * 2 * is_told
