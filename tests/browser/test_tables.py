"""The tables of prompts, versions and events in a browser: sorted, searched, filtered, and on every width."""

from datetime import timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NewPage
from tests.browser.dashboards import REFRESH_TIMEOUT_MS, send_event
from tests.browser.page_faults import cut_off, page_faults, small_targets
from tests.browser.visitors import Visitor
from tests.stored_events import PROMPT, an_event, store_events

PATH = f"/dashboard/prompts/{PROMPT}"
SHOWN, SHOWN_OF_EVENTS = ("Events", "Cost", "Mean score", "p95"), ("Latency", "Cost", "Score")
WIDTHS = ((390, "light"), (390, "dark"), (768, "light"), (1024, "light"), (1280, "dark"))


@pytest.fixture
def many(visitor: Visitor) -> Visitor:
    """A prompt with 60 versions, the newest of which is v00, and two prompts more."""
    store_events(
        visitor.database_url,
        [
            an_event(
                visitor.project_id,
                timedelta(minutes=5 + number),
                version=f"customer-support-reply-v{number:02}-of-the-team",
                latency_ms=str(800 + 10 * number),
                cost_usd=f"0.00{40 + number % 9}",
                score=f"0.{80 + number % 9}",
            )
            for number in range(60)
            for _ in range(2)
        ]
        + [
            an_event(visitor.project_id, prompt=UUID(int=number), latency_ms="1234567", cost_usd="1234.5")
            for number in (7, 8)
        ],
    )
    return visitor


def versions(page: Page) -> Locator:
    return page.locator("#versions tbody tr")


def open_prompt(page: Page, visitor: Visitor, query: str = "range=24h") -> None:
    visitor.enter(page)
    page.goto(f"{PATH}?{query}")


def label(number: int) -> str:
    return f"customer-support-reply-v{number:02}-of-the-team"


@pytest.mark.parametrize("page", ["light", "no JavaScript"], indirect=True)
def test_versions_are_sorted_searched_and_paged(page: Page, many: Visitor):
    open_prompt(page, many)
    expect(versions(page)).to_have_count(50)
    expect(versions(page).first).to_contain_text(label(0))
    page.get_by_role("link", name="Next").click()
    expect(versions(page)).to_have_count(10)
    page.locator("#versions").get_by_role("link", name="p95", exact=True).click()
    expect(versions(page).first).to_contain_text(label(59))
    search = page.get_by_label("Search versions by hash or name")
    search.fill("V1")
    search.press("Enter")
    expect(versions(page)).to_have_count(10)
    expect(versions(page).first).to_contain_text(label(19))


@pytest.mark.parametrize("page", ["light", "no JavaScript"], indirect=True)
def test_the_page_is_of_the_versions_that_are_ticked(page: Page, many: Visitor):
    open_prompt(page, many)
    for number in (3, 5):
        versions(page).nth(number).get_by_role("checkbox").check()
    page.get_by_role("button", name="Show only those ticked").click()
    expect(versions(page)).to_have_count(2)
    expect(page.locator(".figure-value").first).to_have_text("4")
    expect(page.locator("#over-time .legend li")).to_have_count(2)
    expect(page.locator("#only")).to_contain_text("Figures, charts and table are of")
    page.get_by_role("link", name="Single events", exact=True).click()
    expect(page.locator(".events tbody tr")).to_have_count(4)
    page.get_by_role("link", name="Back to the prompt").click()
    expect(versions(page)).to_have_count(2)
    page.get_by_role("link", name="Show all versions").click()
    expect(versions(page)).to_have_count(50)


def test_ticks_stay_while_the_page_brings_itself_up_to_date(page: Page, many: Visitor):
    open_prompt(page, many)
    row = page.locator(f'#versions tr[data-key="{label(3)}"]')
    row.get_by_role("checkbox").check()
    send_event(many)
    expect(page.locator(".figure-value").first).to_have_text("121", timeout=REFRESH_TIMEOUT_MS)
    expect(row.get_by_role("checkbox")).to_be_checked()
    expect(page.locator("#versions input:checked")).to_have_count(1)


def test_labels_that_begin_alike_are_told_apart(page: Page, many: Visitor):
    open_prompt(page, many)
    legend = page.locator("#over-time .legend bdi").all_inner_texts()
    assert len(set(legend)) == len(legend) == 6
    assert all(f"v0{number}" in text for number, text in enumerate(legend))
    expect(page.locator(".verdict").first).to_contain_text("v00")


def test_single_events_are_found_by_what_they_cost_or_took(page: Page, many: Visitor):
    open_prompt(page, many)
    page.get_by_role("link", name="Single events", exact=True).click()
    page.get_by_role("link", name="Slowest").click()
    expect(page.locator(".events tbody tr").first).to_contain_text("1,390 ms")
    expect(page.locator(".events tbody tr")).to_have_count(50)
    expect(page.locator("#looked-at")).to_contain_text("Looked at all since")


@pytest.mark.parametrize("page", ["light", "no JavaScript"], indirect=True)
def test_each_version_leads_to_its_single_events(page: Page, many: Visitor):
    open_prompt(page, many, "range=24h&sort=p95&metric=score")
    row = page.locator(f'#versions tr[data-key="{label(57)}"]')
    row.get_by_role("link", name="Single events of version").click()
    expect(page.locator(".events tbody tr")).to_have_count(2)
    expect(page.locator("#only bdi")).to_have_attribute("title", label(57))
    expect(page.locator(".version-of-event [title]").first).to_have_attribute("title", label(57))
    expect(page.locator(".range-line")).to_contain_text("24 hours")


def test_exact_numbers_are_at_hand(page: Page, many: Visitor):
    many.enter(page)
    page.goto("/dashboard?range=24h")
    p95 = page.get_by_role("row", name=str(UUID(int=7))).locator('[data-label="p95"] [title]')
    assert (p95.get_attribute("title") or "").endswith("ms")
    cells = page.locator('.prompts [data-label="Cost"]').all_inner_texts()
    assert len({len(cell.splitlines()[0].partition(".")[2]) for cell in cells}) == 1


@pytest.mark.parametrize("path", ["/dashboard?range=24h", f"{PATH}?range=24h", f"{PATH}/events?range=24h"])
@pytest.mark.parametrize(
    ("width", "look"), [(390, "light"), (390, "dark"), (768, "light"), (1024, "light"), (1280, "dark")]
)
def test_nothing_is_cut_and_everything_can_be_touched(
    new_page: NewPage, many: Visitor, path: str, *, width: int, look: str
):
    page = new_page(look)
    page.set_viewport_size({"width": width, "height": 900})
    many.enter(page)
    page.goto(path)
    page.wait_for_load_state("networkidle")
    assert page_faults(page) == []
    # on small screens the header's own links scroll
    assert [cut for cut in cut_off(page) if width > 1_000 or "site-nav" not in cut] == []
    if width == 390:
        assert small_targets(page) == []
        first = page.locator(".measured tbody tr").first
        for label in SHOWN_OF_EVENTS if "/events" in path else SHOWN:
            expect(first.locator(f'[data-label^="{label}"]')).to_be_visible()
