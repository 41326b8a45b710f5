"""Ranges of time: zoomed into on a chart, chosen by name, fixed for others, and left again."""

from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.dashboards import (
    REFRESH_TIMEOUT_MS,
    events_figure,
    interactive_chart,
    live_words,
    point_at,
    send_event,
    store_history,
    table_of,
)
from tests.browser.visitors import Visitor
from tests.stored_events import PROMPT, an_event, store_events


def test_dragging_over_a_chart_zooms_the_page_and_there_is_a_way_back(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard?range=7d&sort=cost&order=asc")
    whole = events_figure(page).inner_text()
    rows = table_of(page, "events")
    point_at(page, interactive_chart(page, "Cost over time"), 158 / 168)
    page.mouse.down()
    point_at(page, interactive_chart(page, "Cost over time"), 164 / 168)
    page.mouse.up()
    page.wait_for_url("**from=**")
    asked = parse_qs(urlsplit(page.url).query)
    assert (asked["back"], asked["sort"], asked["order"]) == (["7d"], ["cost"], ["asc"])
    assert "range" not in asked
    inside = sum(int(row[1]) for row in rows[158:165])
    assert whole != str(inside)
    expect(events_figure(page)).to_have_text(str(inside))
    assert sum(int(row[1]) for row in table_of(page, "events")) == inside
    expect(page.locator("tbody tr[data-key]").first).to_contain_text(str(PROMPT))
    page.get_by_role("link", name="Back to the last 7 days").click()
    page.wait_for_url("**range=7d**")
    expect(events_figure(page)).to_have_text(whole)


def test_a_chart_is_zoomed_by_keyboard(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard")
    rows = table_of(page, "events")
    chart = interactive_chart(page, "Events over time")
    chart.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    assert f"Chosen from {rows[-4][0]} to {rows[-3][0]}" in live_words(page, "events")
    expect(page.get_by_role("button", name="Show this part")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url("**back=24h**")
    inside = sum(int(row[1]) for row in rows[-4:-2])
    expect(events_figure(page)).to_have_text(str(inside))
    expect(page.get_by_role("link", name="Back to the last 24 hours")).to_be_visible()


def test_a_finger_reads_and_a_button_zooms(new_page: NewPage, visitor: Visitor):
    page = new_page("phone")
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard")
    chart = interactive_chart(page, "Events over time")
    chart.scroll_into_view_if_needed()
    slide = """(area, [from, to]) => {
      const { left, width, top } = area.getBoundingClientRect();
      area.setPointerCapture = () => {};
      const finger = { pointerType: "touch", pointerId: 7, button: 0, bubbles: true, clientY: top + 9 };
      const touch = (type, across) =>
        area.dispatchEvent(new PointerEvent(type, { ...finger, clientX: left + width * across }));
      touch("pointerdown", from);
      touch("pointermove", to);
      touch("pointerup", to);
    }"""
    chart.evaluate(slide, [0.5, 0.5])
    expect(page.locator("#chart-events .chart-tip")).to_be_visible()
    expect(page.get_by_role("button", name="Show this part")).to_be_hidden()
    chart.evaluate(slide, [0.5, 0.8])
    page.get_by_role("button", name="Show this part").click()
    page.wait_for_url("**from=**")


def test_a_chart_goes_on_being_read_while_news_come(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard")
    chart = interactive_chart(page, "Events over time")
    chart.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    told = live_words(page, "events")
    before = events_figure(page).inner_text()
    send_event(visitor)
    expect(events_figure(page)).not_to_have_text(before, timeout=REFRESH_TIMEOUT_MS)
    expect(chart).to_be_focused()
    expect(page.locator("#chart-events .chart-selection")).to_be_visible()
    assert live_words(page, "events") == told


@pytest.mark.parametrize("name", ["Today", "Yesterday", "This week", "This month"])
def test_days_weeks_and_months_are_ranges(page: Page, visitor: Visitor, name: str):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard")
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.locator(".segments [aria-current]")).to_have_text(name)
    expect(page.locator(".range-line")).to_contain_text(f"{name}, moving: now 20")


def test_a_range_that_moves_can_be_fixed_for_others(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard?range=7d")
    line = page.locator(".range-line")
    expect(line).to_contain_text("The last 7 days, moving")
    page.get_by_role("link", name="Fix to these times").click()
    page.wait_for_url("**from=**to=**")
    expect(line).not_to_contain_text("moving")
    page.get_by_role("link", name="Back to the last 7 days").click()
    expect(line).to_contain_text("The last 7 days, moving")


def test_the_money_of_the_month_leads_to_the_prompts_that_cost_it(page: Page, visitor: Visitor):
    store_events(
        visitor.database_url,
        [
            an_event(visitor.project_id, cost_usd="3"),
            an_event(visitor.project_id, prompt=UUID(int=7), cost_usd="1"),
        ],
    )
    visitor.enter(page)
    page.goto("/dashboard")
    money = page.get_by_role("region", name="Money this month")
    expect(money).to_contain_text("$4.00")
    expect(money).to_contain_text("too little past to tell")
    money.get_by_role("link", name="Where it went").click()
    page.wait_for_url("**range=month**")
    expect(page.locator("#prompts .cost-share")).to_have_text(["75 % of all", "25 % of all"])
