"""Charts that are pointed at, read by keyboard, and switched, on every screen."""

import csv
import gzip
import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import NewPage
from tests.browser.dashboards import (
    DISTANCE_OF_DOT,
    EVERYBODY,
    events_figure,
    interactive_chart,
    live_words,
    point_at,
    store_history,
    table_of,
)
from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor
from tests.prompt_page import store_two_versions
from tests.stored_events import PROMPT, an_event, store_events

PROMPT_PAGE = f"/dashboard/prompts/{PROMPT}"
UTC_HOUR = re.compile(r"\w{3} \d{1,2} \w{3} \d{4}, \d\d:00\u2013\d\d:00 UTC")
MOST_SCRIPT_BYTES = 40_960
SMALLEST_TARGET = 24


def test_pointing_at_a_chart_tells_exact_values_and_the_time_in_utc(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard")
    point_at(page, interactive_chart(page, "Cost over time"), 0.6)
    told = page.locator("#chart-cost .chart-tip")
    expect(told.locator(".chart-tip-label")).to_have_text(UTC_HOUR)
    row = next(row for row in table_of(page, "cost") if row[0] == told.locator(".chart-tip-label").inner_text())
    expect(told.locator(".chart-tip-value")).to_have_text(row[1])
    assert re.fullmatch(r"\$0\.0\d+", row[1])
    point_at(page, events_figure(page), 0.5)
    expect(told).to_be_hidden()


def test_the_crosshair_stands_on_the_line_that_the_server_drew(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard")
    chart = interactive_chart(page, "Events over time")
    point_at(page, chart, 0.6)
    from_pointer = page.evaluate(
        """() => {
          const dot = document.querySelector("#chart-events .chart-dot").getBoundingClientRect();
          const area = document.querySelector("#chart-events .chart-area-of-pointer").getBoundingClientRect();
          return Math.abs(dot.x + dot.width / 2 - area.x - 0.6 * area.width) / area.width;
        }"""
    )
    from_line = page.evaluate(DISTANCE_OF_DOT, "#chart-events")
    assert from_line < 2
    assert from_pointer <= 0.5 / 24 + 0.005


def test_the_points_of_a_chart_are_read_by_keyboard(page: Page, visitor: Visitor):
    store_two_versions(visitor.database_url, visitor.project_id)
    visitor.enter(page)
    page.goto(f"{PROMPT_PAGE}?metric=cost")
    chart = interactive_chart(page, "Cost per event over time")
    page.get_by_role("list", name="Lines of the chart").get_by_role("checkbox", name="v1").focus()
    page.keyboard.press("Tab")
    expect(chart).to_be_focused()
    rows = table_of(page, "cost")
    assert live_words(page, "cost").startswith(f"{rows[-1][0]}. v2: ")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    assert live_words(page, "cost").startswith(f"{rows[-5][0]}. v2: {rows[-5][1]}")
    page.keyboard.press("ArrowDown")
    assert live_words(page, "cost").startswith(f"{rows[-5][0]}. v1: {rows[-5][2]}")
    page.keyboard.press("Home")
    assert live_words(page, "cost").startswith(rows[0][0])
    page.keyboard.press("End")
    page.keyboard.press("Escape")
    expect(page.locator("#chart-cost .chart-tip")).to_be_hidden()


@pytest.mark.parametrize("look", ["light", "no JavaScript"])
def test_the_legend_switches_lines(new_page: NewPage, visitor: Visitor, look: str):
    store_two_versions(visitor.database_url, visitor.project_id)
    page = new_page(look)
    visitor.enter(page)
    page.goto(PROMPT_PAGE)
    second = page.locator("#chart-cost .chart-drawing .series-2")
    expect(second).to_be_visible()
    page.get_by_role("list", name="Lines of the chart").get_by_role("checkbox", name="v1").focus()
    page.keyboard.press("Space")
    expect(second).to_be_hidden()
    expect(page.locator("#chart-cost .chart-drawing .series-1")).to_be_visible()
    if look == "light":
        point_at(page, interactive_chart(page, "Cost per event over time"), 0.85)
        expect(page.locator("#chart-cost .chart-tip bdi")).to_have_text(["v2"])
    page.get_by_role("list", name="Lines of the chart").get_by_role("checkbox", name="v1").press("Space")
    expect(second).to_be_visible()


def test_the_axis_is_that_of_the_lines_that_are_shown_and_the_address_says_which(new_page: NewPage, visitor: Visitor):
    store_two_versions(visitor.database_url, visitor.project_id)
    page = new_page("light")
    visitor.enter(page)
    page.goto(f"{PROMPT_PAGE}?metric=cost")
    top = page.locator("#chart-cost .chart-grid + .chart-label").last
    expect(top).to_have_text(re.compile(r"\$0\.1"))
    boxes = page.get_by_role("list", name="Lines of the chart")
    boxes.get_by_role("checkbox", name="v1").uncheck()
    expect(top).to_have_text(re.compile(r"\$0\.0[56]"))
    expect(boxes.get_by_role("checkbox", name="v1")).not_to_be_checked()
    assert page.evaluate("new URL(location).searchParams.getAll('hidden')") == ["v1"]
    point_at(page, interactive_chart(page, "Cost per event over time"), 0.85)
    assert page.evaluate(DISTANCE_OF_DOT, "#chart-cost") < 2
    page.get_by_role("link", name="7 d", exact=True).click()
    page.wait_for_url("**range=7d**")
    expect(boxes.get_by_role("checkbox", name="v1")).not_to_be_checked()
    shared = new_page("no JavaScript")
    visitor.enter(shared)
    shared.goto(page.url)
    expect(shared.locator("#chart-cost .chart-drawing .series-2")).to_be_hidden()
    expect(shared.locator("#chart-cost .chart-grid + .chart-label").last).to_have_text(re.compile(r"\$0\.0[56]"))
    boxes.get_by_role("checkbox", name="v1").check()
    expect(top).to_have_text(re.compile(r"\$0\.1"))
    assert "hidden" not in page.url


def test_the_chart_of_a_prompt_has_the_versions_compared_and_the_newest(page: Page, visitor: Visitor):
    events = [
        an_event(visitor.project_id, timedelta(hours=20 - number), version=f"v{number}", cost_usd="0.1")
        for number in range(9)
        for _ in range(12 - number)
    ]
    store_events(visitor.database_url, events)
    visitor.enter(page)
    page.goto(PROMPT_PAGE)
    expect(page.locator("#chart-cost .legend li")).to_have_text(["v8", "v7", "v6", "v5", "v4", "v3"])
    expect(page.get_by_text("6 of 9 versions: the two that are compared, then the newest")).to_be_visible()
    page.goto(f"{PROMPT_PAGE}?candidate=v1&baseline=v0")
    expect(page.locator("#chart-cost .legend li")).to_have_text(["v1", "v0", "v8", "v7", "v6", "v5"])


def test_the_first_chart_of_a_prompt_is_one_that_has_data(page: Page, visitor: Visitor):
    store_events(visitor.database_url, [an_event(visitor.project_id, score="0.5") for _ in range(3)])
    visitor.enter(page)
    page.goto(PROMPT_PAGE)
    expect(page.locator("#chart-score")).to_be_visible()
    page.goto(f"{PROMPT_PAGE}?metric=cost")
    expect(page.get_by_text("No event with a cost in this range")).to_be_visible()
    expect(page.get_by_text("too few events")).to_have_count(0)


@EVERYBODY
def test_everybody_finds_the_numbers_of_a_chart_beside_it(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard")
    page.locator("#chart-latency summary").click()
    table = page.get_by_role("table", name="Latency over time")
    expect(table.get_by_role("columnheader")).to_have_text(["Time", "p50", "p95"])
    expect(table.get_by_role("rowheader").last).to_have_text(re.compile("UTC, in part"))
    assert page.locator("#chart-latency .chart-drawing").get_by_text("UTC", exact=True).is_visible()
    assert page_faults(page) == []


def test_the_values_of_a_chart_are_a_file_too(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard?range=7d")
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Chart, CSV of Cost").click()
    with downloaded.value.path().open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [f"${row['cost_usd'].rstrip('0').rstrip('.') or '0'}" for row in rows] == [
        row[1] for row in table_of(page, "cost")
    ]


def test_what_is_touched_is_large_enough_for_a_finger(new_page: NewPage, visitor: Visitor):
    store_two_versions(visitor.database_url, visitor.project_id)
    page = new_page("phone")
    visitor.enter(page)
    for path in ("/dashboard", PROMPT_PAGE):
        page.goto(path)
        targets = page.locator(
            ".chart summary, .chart-csv, .legend label, .segments a, .range-line a, .numbers summary"
        )
        sizes = targets.evaluate_all(
            "all => all.map((each) => [each.textContent, each.getBoundingClientRect().height])"
        )
        assert [each for each in sizes if each[1] < SMALLEST_TARGET] == []
        assert len(sizes) > 10


def test_a_page_has_at_most_40_kb_of_javascript(page: Page, visitor: Visitor):
    store_two_versions(visitor.database_url, visitor.project_id)
    scripts: dict[str, bytes] = {}

    def note(response: Response) -> None:
        if response.request.resource_type == "script":
            scripts[response.url] = response.body()

    page.on("response", note)
    visitor.enter(page)
    for path in ("/dashboard", PROMPT_PAGE, "/dashboard/system", "/dashboard/api-keys", "/docs/runbook"):
        scripts.clear()
        page.goto(path, wait_until="networkidle")
        assert scripts
        assert sum(len(gzip.compress(script)) for script in scripts.values()) <= MOST_SCRIPT_BYTES
