"""The dashboard and the page of a prompt, as people use them."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.api_keys import create_key
from tests.browser.conftest import NewPage
from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor, new_visitor
from tests.stored_events import PROMPT, an_event, store_events

EVERYBODY = pytest.mark.parametrize("page", ["light", "dark", "phone", "no JavaScript"], indirect=True)
PROMPT_PAGE = f"/dashboard/prompts/{PROMPT}"
HOSTILE = "<img src=x onerror=alert(1)>"
REFRESH_TIMEOUT_MS = 12_000


def send_event(visitor: Visitor, **values: object) -> None:
    """One event through the API, as a client sends it."""
    key = create_key(visitor.database_url, project=visitor.project)
    answer = httpx.post(
        f"{visitor.service}/api/v1/prompts/analytics",
        json={"prompt_id": str(PROMPT), "version_hash": "v1", **values},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 204


def store_history(visitor: Visitor) -> None:
    """Two versions of one prompt and one of another."""
    events = [
        an_event(
            visitor.project_id,
            timedelta(minutes=10 * number),
            version="new" if number < 40 else "old",
            latency_ms=str(800 + 10 * (number % 7) + (0 if number < 40 else 400)),
            cost_usd=f"0.00{40 + number % 5}",
            score=f"0.{80 + number % 9}",
        )
        for number in range(80)
    ]
    store_events(visitor.database_url, [*events, an_event(visitor.project_id, prompt=UUID(int=7))])


def events_figure(page: Page) -> Locator:
    return page.locator(".figure-value").first


def interactive_chart(page: Page) -> Locator:
    return page.locator(".js-plotly-plot .main-svg").first


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


def test_a_chart_keeps_the_part_that_the_user_looks_at(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard")
    expect(interactive_chart(page)).to_be_visible()
    area = page.locator("#chart-events .draglayer .nsewdrag").bounding_box()
    assert area
    page.mouse.move(area["x"] + area["width"] * 0.5, area["y"] + 50)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.8, area["y"] + 60, steps=5)
    page.mouse.up()
    shown = "document.querySelector('#chart-events .js-plotly-plot').layout.xaxis.range.join()"
    zoomed = page.evaluate(shown)
    before = events_figure(page).inner_text()
    send_event(visitor)
    expect(events_figure(page)).not_to_have_text(before, timeout=REFRESH_TIMEOUT_MS)
    assert page.evaluate(shown) == zoomed


def test_a_chart_tells_numbers_with_their_units(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard")
    expect(interactive_chart(page)).to_be_visible()
    area = page.locator("#chart-cost .draglayer .nsewdrag").bounding_box()
    assert area
    page.mouse.move(area["x"] + area["width"] * 0.6, area["y"] + area["height"] * 0.5)
    told = page.locator("#chart-cost .hoverlayer")
    expect(told).to_contain_text("$")
    expect(told).to_contain_text(":00 UTC")


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


def test_versions_are_compared_side_by_side_and_over_time(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard")
    page.get_by_role("link", name=str(PROMPT)).click()
    page.wait_for_url(f"**{PROMPT_PAGE}**")
    expect(page.locator(".verdict")).to_contain_text("faster")
    expect(page.locator(".verdict")).to_contain_text("than old")
    page.get_by_role("link", name="Latency, p95").click()
    page.wait_for_url("**metric=p95**")
    expect(page.locator("#chart-p95")).to_be_visible()
    expect(interactive_chart(page)).to_be_visible()
    expect(page.locator(".legend li")).to_have_text(["new", "old"])


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
    expect(page.locator(".legend li").first).to_have_text("Shorter answers")


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
    expect(page.locator("#chart-events .js-plotly-plot .main-svg").first).to_be_visible()
    cost = page.locator("#chart-cost")
    expect(cost.get_by_text("No data in this range")).to_be_visible()
    send_event(visitor, cost_usd=1)
    expect(cost.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=REFRESH_TIMEOUT_MS)


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


def test_text_that_others_chose_is_only_text_in_charts_too(page: Page, visitor: Visitor):
    events = [an_event(visitor.project_id, version=version, cost_usd="1") for version in (HOSTILE, "<b>v2</b>")]
    store_events(visitor.database_url, events)
    visitor.enter(page)
    page.goto(PROMPT_PAGE)
    expect(interactive_chart(page)).to_be_visible()
    area = page.locator(".draglayer .nsewdrag").bounding_box()
    assert area
    page.mouse.move(area["x"] + area["width"] - 2, area["y"] + area["height"] / 2)
    told = page.locator(".hoverlayer")
    expect(told).to_contain_text("<b>v2</b>")
    expect(told).to_contain_text("<img src=x o…")
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
    line = page.locator("#chart-events .js-line").first
    light = line.evaluate("line => getComputedStyle(line).stroke")
    page.emulate_media(color_scheme="dark")
    expect(line).not_to_have_css("stroke", light)


def test_nothing_waits_for_the_large_script(page: Page, visitor: Visitor):
    store_history(visitor)
    visitor.enter(page)
    waiting: list[Route] = []
    page.route("**/plotly.min.js", lambda route: waiting.append(route))  # noqa: PLW0108 - it takes no builtin
    page.goto("/dashboard")
    expect(page.locator("#chart-events .chart-line").first).to_be_visible()
    expect(page.locator("#chart-events").get_by_role("img")).to_have_accessible_name("Events over time")
    for route in waiting:
        route.continue_()
    expect(interactive_chart(page)).to_be_visible()
