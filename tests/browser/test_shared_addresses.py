"""What others see: the same address, names, hostile text, every way of looking."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.dashboards import (
    EVERYBODY,
    REFRESH_TIMEOUT_MS,
    events_figure,
    interactive_chart,
    point_at,
    send_event,
    store_history,
)
from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor, new_visitor
from tests.prompt_page import store_two_versions
from tests.stored_events import PROMPT, an_event, store_events

PROMPT_PAGE = f"/dashboard/prompts/{PROMPT}"


HOSTILE = "<img src=x onerror=alert(1)>"


def test_versions_are_compared_side_by_side_and_over_time(page: Page, visitor: Visitor):
    store_two_versions(visitor.database_url, visitor.project_id)
    visitor.enter(page)
    page.goto("/dashboard")
    page.locator("#prompts").get_by_role("link", name=str(PROMPT)).click()
    page.wait_for_url(f"**{PROMPT_PAGE}**")
    expect(page.locator(".verdict")).to_contain_text("v2 is mixed against v1: 50 % cheaper, but 100 % slower")
    page.get_by_role("link", name="Latency, p95").click()
    page.wait_for_url("**metric=p95**")
    expect(page.locator("#chart-p95")).to_be_visible()
    expect(interactive_chart(page)).to_be_visible()
    expect(page.locator("#chart-p95 .legend li")).to_have_text(["v2", "v1"])
    expect(page.locator("#chart-p95 .chart-marker").first).to_be_attached()


@pytest.mark.parametrize("look", ["light", "no JavaScript"])
def test_two_versions_are_chosen_and_the_address_shows_others_the_same(new_page: NewPage, visitor: Visitor, look: str):
    store_two_versions(visitor.database_url, visitor.project_id)
    page = new_page(look)
    visitor.enter(page)
    page.goto(f"{PROMPT_PAGE}?range=7d&metric=score")
    page.get_by_label("the baseline").select_option("v2")
    page.get_by_label("the candidate").select_option("v1")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**candidate=v1**")
    expect(page.locator(".verdict")).to_contain_text("v1 is mixed against v2: 50 % faster")
    page.get_by_role("link", name="30 d").click()
    page.wait_for_url("**range=30d**")
    colleague = new_visitor(visitor.service, visitor.database_url, role="member", project=visitor.project)
    elsewhere = new_page(look)
    colleague.enter(elsewhere)
    elsewhere.goto(page.url)
    assert elsewhere.locator(".verdict").inner_text() == page.locator(".verdict").inner_text()
    assert elsewhere.locator("#chart-score").is_visible()
    elsewhere.get_by_role("link", name="All versions against one").click()
    expect(elsewhere.get_by_role("heading", name="Against v2")).to_be_visible()
    elsewhere.get_by_role("link", name="v1", exact=True).click()
    expect(elsewhere.locator(".verdict")).to_contain_text("v1 is mixed against v2")


def test_a_version_that_is_being_chosen_stays_when_a_new_one_comes(page: Page, visitor: Visitor):
    store_two_versions(visitor.database_url, visitor.project_id)
    visitor.enter(page)
    page.goto(PROMPT_PAGE)
    baseline, candidate = page.get_by_label("the baseline"), page.get_by_label("the candidate")
    candidate.select_option("v1")
    send_event(visitor, version_hash="v3")
    expect(baseline).to_have_value("v2", timeout=REFRESH_TIMEOUT_MS)
    expect(candidate).to_have_value("v1")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**candidate=v1**")
    expect(page.locator(".verdict")).to_contain_text("v1 is mixed against v2")


def test_a_version_gets_a_name_that_shows_everywhere(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto(PROMPT_PAGE)
    row = page.get_by_role("row").filter(has=page.locator(".version-cell")).first
    row.locator("summary").click()
    row.get_by_label("Name of version new").fill("Shorter answers")
    row.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="The name is saved.")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("Shorter answers")
    expect(page.locator("#over-time .legend li").first).to_have_text("Shorter answers")


def test_a_name_that_is_being_written_stays_when_a_new_version_comes(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto(PROMPT_PAGE)
    row = page.locator(".versions tbody tr").filter(has_text="old")
    row.locator("summary").click()
    name = row.get_by_label("Name of version old")
    name.fill("The first")
    send_event(visitor, version_hash="newest")
    expect(page.locator(".versions tbody tr")).to_have_count(3, timeout=REFRESH_TIMEOUT_MS)
    expect(name).to_be_focused()
    expect(name).to_have_value("The first")


def test_an_address_shows_others_the_same(new_page: NewPage, visitor: Visitor):
    store_history(visitor)
    page = new_page()
    visitor.enter(page)
    page.goto("/dashboard")
    page.get_by_label("Search prompts").fill(str(PROMPT)[:8])
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="7 d").click()
    page.get_by_role("link", name="p95").click()
    page.wait_for_url("**sort=p95**")
    colleague = new_visitor(visitor.service, visitor.database_url, role="member", project=visitor.project)
    elsewhere = new_page()
    colleague.enter(elsewhere)
    elsewhere.goto(page.url)
    assert elsewhere.locator(".segments [aria-current]").inner_text() == "7 d"
    assert elsewhere.locator("[aria-sort]").inner_text().startswith("p95")
    assert elsewhere.locator("tbody tr").all_inner_texts() == page.locator("tbody tr").all_inner_texts()


def test_a_range_of_ones_own_is_chosen_by_its_days(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard")
    page.get_by_text("Custom").click()
    page.get_by_label("From (UTC)").fill("2026-01-01T00:00")
    page.get_by_label("To (UTC)").fill("2026-01-08T00:00")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**from=2026-01-01T00**")
    expect(page.get_by_text("No events from 2026-01-01 00:00 to 2026-01-08 00:00 UTC")).to_be_visible()
    page.get_by_role("link", name="Back to the last 24 hours").click()
    page.wait_for_url("**range=24h**")


def test_text_that_others_chose_is_only_text_in_charts_too(page: Page, visitor: Visitor):
    events = [an_event(visitor.project_id, version=version, cost_usd="1") for version in (HOSTILE, "<b>v2</b>")]
    store_events(visitor.database_url, events)
    visitor.enter(page)
    page.goto(PROMPT_PAGE)
    expect(interactive_chart(page)).to_be_visible()
    point_at(page, interactive_chart(page), 0.99)
    told = page.locator(".chart-tip")
    expect(told).to_contain_text("<b>v2</b>")
    expect(told).to_contain_text("<img src=…=alert(1)>")
    assert page.locator("img").count() == 0


@EVERYBODY
def test_everybody_can_read_the_dashboard(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    for path in ("/dashboard", "/dashboard?range=30d&q=1", PROMPT_PAGE, f"{PROMPT_PAGE}?metric=events&range=90d"):
        page.goto(path)
        expect(events_figure(page)).to_be_visible()
        expect(page.locator(".chart-plot").first).to_be_visible()
        assert page_faults(page) == []
