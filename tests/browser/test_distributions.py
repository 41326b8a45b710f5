"""Histograms and the pictures of intervals are pointed at, read by keyboard and by finger, as charts over time are."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.dashboards import (
    DISTANCE_OF_DOT,
    interactive_chart,
    live_words,
    point_at,
    store_history,
    table_of,
)
from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor
from tests.prompt_page import PATH, store_two_versions


def test_the_bars_of_a_histogram_are_pointed_at_and_read_by_keyboard(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard?range=24h")
    chart = interactive_chart(page, "Latencies in the last 24 h")
    rows = table_of(page, "range-latencies")
    point_at(page, chart, 0.001)
    told = page.locator("#chart-range-latencies .chart-tip")
    expect(told.locator(".chart-tip-label")).to_have_text(f"{rows[0][0]} to {rows[0][1]}")
    expect(told.locator(".chart-tip-value")).to_have_text(rows[0][2])
    point_at(page, chart, 0.999)
    expect(told.locator(".chart-tip-value")).to_have_text(rows[-1][2])
    page.mouse.move(0, 0)
    expect(told).to_be_hidden()
    chart.press("Home")
    chart.press("ArrowRight")
    assert live_words(page, "range-latencies") == f"{rows[1][0]} to {rows[1][1]}. Share of events: {rows[1][2]}"
    shown = page.url
    chart.press("Shift+ArrowRight")
    chart.press("Enter")
    assert page.url == shown, "there is no part of a range to go into"
    assert live_words(page, "range-latencies").startswith(rows[2][0])


def test_the_dot_of_a_bar_lies_on_its_outline(page: Page, visitor: Visitor):
    store_two_versions(visitor.database_url, visitor.project_id)
    visitor.enter(page)
    page.goto(PATH)
    chart = interactive_chart(page, "Latencies of both versions")
    chart.press("End")
    chart.press("End")
    expect(page.locator("#chart-latencies .chart-tip bdi")).to_have_text(["v2", "v1"])
    last = table_of(page, "latencies")[-1]
    expect(page.locator("#chart-latencies .chart-tip-value")).to_have_text([last[3], last[2]])
    assert page.evaluate(DISTANCE_OF_DOT, "#chart-latencies") < 2


def test_intervals_are_read_by_keyboard_and_tell_when_it_became_clear(page: Page, visitor: Visitor):
    store_two_versions(visitor.database_url, visitor.project_id)
    visitor.enter(page)
    page.goto(PATH)
    chart = interactive_chart(page, "Cost: how the interval shrank")
    table = [
        row.split("\t")
        for row in page.locator("#shrinking-table tr").evaluate_all(
            "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent).join('\\t'))"
        )
    ]
    cost = table[0].index("Cost")
    chart.press("End")
    assert live_words(page, "shrinking-cost_usd").startswith(f"{table[-1][0]}. Cost: {table[-1][cost]}")
    words = []
    for row in reversed(table[1:]):
        words.append(live_words(page, "shrinking-cost_usd"))
        assert words[-1].startswith(row[0])
        chart.press("ArrowLeft")
    assert sum("Clear from here on" in each for each in words) == 1
    assert page.evaluate(DISTANCE_OF_DOT, "#chart-shrinking-cost_usd") is None, "nothing was known at first"
    chart.press("End")
    assert page.evaluate(DISTANCE_OF_DOT, "#chart-shrinking-cost_usd") < 2


def test_a_finger_reads_a_histogram(new_page: NewPage, visitor: Visitor):
    store_history(visitor)
    page = new_page("phone")
    visitor.enter(page)
    page.goto("/dashboard?range=24h")
    chart = interactive_chart(page, "Latencies in the last 24 h")
    chart.scroll_into_view_if_needed()
    chart.tap(position={"x": 2, "y": 60})
    expect(page.locator("#chart-range-latencies .chart-tip-value")).to_have_text(
        table_of(page, "range-latencies")[0][2]
    )
    assert page_faults(page) == []


def test_on_a_phone_what_is_told_lies_within_the_card_wherever_one_points(new_page: NewPage, visitor: Visitor):
    older, newer = (f"the version of the whole team number {number}" for number in (1, 2))
    store_two_versions(visitor.database_url, visitor.project_id, older=older, newer=newer)
    page = new_page("phone")
    visitor.enter(page)
    page.goto(PATH)
    for name in ("Latencies of both versions", "Cost: how the interval shrank", "Cost per event over time"):
        chart = interactive_chart(page, name)
        card = page.locator(".card", has=chart).bounding_box()
        assert card
        for across in (0.01, 0.3, 0.45, 0.55, 0.7, 0.99):
            point_at(page, chart, across)
            told = chart.locator(".chart-tip").bounding_box()
            assert told
            assert card["x"] <= told["x"] <= told["x"] + told["width"] <= card["x"] + card["width"], (name, across)
