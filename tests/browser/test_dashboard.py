"""The dashboard in a browser: first event, live refresh, charts."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.dashboards import (
    EVERYBODY,
    REFRESH_TIMEOUT_MS,
    events_figure,
    interactive_chart,
    send_event,
    store_history,
)
from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor
from tests.stored_events import PROMPT, an_event, store_events


def test_the_first_event_turns_the_page_into_charts(page: Page, visitor: Visitor):
    visitor.enter(page)
    page.goto("/dashboard")
    expect(page.get_by_role("heading", name="Waiting for the first event")).to_be_visible()
    expect(page.locator("#first-curl")).to_contain_text(f"curl {visitor.service}/api/v1/prompts/analytics")
    send_event(visitor, latency_ms=850, cost_usd=0.00042, score=0.9)
    expect(events_figure(page)).to_have_text("1", timeout=REFRESH_TIMEOUT_MS)
    expect(interactive_chart(page)).to_be_visible()
    expect(page.get_by_role("row", name=str(PROMPT))).to_contain_text("$0.00042")


def test_news_come_without_losing_what_the_user_does(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.set_viewport_size({"width": 1_000, "height": 500})
    page.goto("/dashboard")
    expect(interactive_chart(page)).to_be_visible()
    before = events_figure(page).inner_text()
    search = page.get_by_label("Search prompts")
    search.fill("half a wo")
    search.evaluate("field => field.setSelectionRange(2, 4)")
    page.get_by_text("Custom").click()
    search.focus()
    page.evaluate("scrollTo(0, 150)")
    row = page.get_by_role("row", name=str(PROMPT)).element_handle()
    send_event(visitor)
    expect(events_figure(page)).not_to_have_text(before, timeout=REFRESH_TIMEOUT_MS)
    expect(search).to_be_focused()
    expect(search).to_have_value("half a wo")
    assert search.evaluate("field => [field.selectionStart, field.selectionEnd]") == [2, 4]
    assert page.evaluate("scrollY") == 150
    assert row.evaluate("row => row.isConnected")
    expect(page.get_by_label("From (UTC)")).to_be_visible()


def test_a_session_that_ended_leads_to_the_sign_in_page_and_back(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard?range=1h")
    page.context.clear_cookies()
    page.wait_for_url("**/login?next=**", timeout=REFRESH_TIMEOUT_MS)
    visitor.enter(page)
    page.goto(page.url)
    page.wait_for_url("**/dashboard?**range=1h**")


def test_a_page_without_answers_says_so_and_goes_on(new_page: NewPage, visitor: Visitor):
    page = new_page(expected="/dashboard")
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard?range=1h")
    page.route("**/dashboard?**", lambda route: route.abort())
    status = page.locator("#live-status")
    expect(status).to_contain_text("Paused", timeout=REFRESH_TIMEOUT_MS)
    page.unroute("**/dashboard?**")
    expect(status).to_contain_text("Updated", timeout=2 * REFRESH_TIMEOUT_MS)


def test_a_download_that_is_refused_says_why(new_page: NewPage, visitor: Visitor):
    page = new_page(expected="/dashboard/events.csv")
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard?range=24h")
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Raw events, CSV").click()
    assert downloaded.value.failure() is None
    page.goto("/dashboard?range=90d")
    page.get_by_role("link", name="Raw events, CSV").click()
    expect(page.get_by_role("heading", name="That range is too long")).to_be_visible()


def test_a_chart_without_data_goes_on_saying_so(page: Page, visitor: Visitor):
    store_events(visitor.database_url, [an_event(visitor.project_id)])
    visitor.enter(page)
    page.goto("/dashboard")
    expect(interactive_chart(page, "Events over time")).to_be_visible()
    cost = interactive_chart(page, "Cost over time")
    expect(page.get_by_text("No event with a cost in this range")).to_be_visible()
    expect(cost).to_be_hidden()
    send_event(visitor, cost_usd=1)
    expect(cost).to_be_visible(timeout=REFRESH_TIMEOUT_MS)


@EVERYBODY
def test_everybody_can_read_how_to_begin(page: Page, visitor: Visitor):
    visitor.enter(page)
    page.goto("/dashboard")
    expect(page.locator("#first-curl")).to_be_visible()
    assert page_faults(page) == []


def test_colours_follow_the_system_while_one_looks(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard")
    expect(interactive_chart(page)).to_be_visible()
    line = page.locator("#chart-events .chart-line").first
    light = line.evaluate("line => getComputedStyle(line).stroke")
    page.emulate_media(color_scheme="dark")
    expect(line).not_to_have_css("stroke", light)


def test_a_refresh_that_finds_nothing_new_is_not_sent_again_and_news_still_come(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard?range=24h")
    with page.expect_response(lambda answer: "/dashboard?" in answer.url and answer.status == 304) as unchanged:
        expect(page.locator("#live-status")).to_contain_text("Updated")
    assert "if-none-match" in unchanged.value.request.headers
    before = events_figure(page).inner_text()
    send_event(visitor)
    expect(events_figure(page)).not_to_have_text(before, timeout=REFRESH_TIMEOUT_MS)


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/audit-log"])
def test_on_a_phone_the_header_shows_which_page_it_is(new_page: NewPage, visitor: Visitor, path: str):
    page = new_page("phone")
    visitor.enter(page)
    page.goto(path)
    expect(page.locator(".site-nav [aria-current]")).to_be_in_viewport(ratio=0.95)
    assert page.evaluate("scrollY") == 0


def test_on_a_phone_what_a_menu_shows_lies_within_the_screen(new_page: NewPage, visitor: Visitor):
    page = new_page("phone")
    visitor.enter(page)
    page.goto("/dashboard")
    buttons = page.locator("summary.menu-button").all()
    assert len(buttons) == 4
    for button in buttons:
        button.click()
        panel = page.locator("details[open] .menu-panel").bounding_box()
        assert panel
        assert 0 <= panel["x"] <= panel["x"] + panel["width"] <= 390, button.inner_text()
        button.click()
