"""The list of what changed, as everybody sees it, and where its lines lead."""

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from app.core.rollups.grains import floor_to
from tests.browser.dashboards import EVERYBODY
from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor
from tests.stored_events import PROMPT, an_event, store_events


def store_weeks(visitor: Visitor, *, slower: bool, slower_days: int = 7) -> None:
    """One version of one prompt; if it is `slower` it takes twice as long in the last `slower_days` complete days."""
    now = datetime.now(UTC)
    midnight = floor_to("day", now)
    store_events(
        visitor.database_url,
        [
            an_event(
                visitor.project_id,
                now - midnight + timedelta(days=ago) - timedelta(minutes=9 * number),
                latency_ms=str((100 + number % 50 + ago % 3) * (2 if slower and ago <= slower_days else 1)),
                cost_usd=f"0.00{10 + number % 5}",
            )
            for ago in range(1, 38)
            for number in range(150)
        ],
    )


@EVERYBODY
def test_everybody_finds_the_prompt_that_moved(page: Page, visitor: Visitor):
    store_weeks(visitor, slower=True)
    visitor.enter(page)
    page.goto("/dashboard")
    changes = page.get_by_role("region", name="What changed")
    line = changes.get_by_role("listitem").filter(has_text="p95 latency")
    expect(line).to_contain_text("worse")
    expect(line).to_contain_text("longer (")
    expect(page.get_by_text("Changes are against the same hours")).to_be_visible()
    assert page_faults(page) == []
    line.get_by_role("link").click()
    expect(page).to_have_url(re.compile(rf"/prompts/{PROMPT}\?.*metric=p95"))
    expect(page.get_by_role("heading", level=1)).to_contain_text(str(PROMPT))


def test_the_month_leads_to_the_days_that_cost_it(page: Page, visitor: Visitor):
    store_weeks(visitor, slower=False)
    visitor.enter(page)
    page.goto("/dashboard")
    changes = page.get_by_role("region", name="What changed")
    expect(changes).to_contain_text("Nothing has changed")
    changes.get_by_role("link", name=f"{datetime.now(UTC):%B}").click()
    expect(page.get_by_role("heading", name="Cost")).to_be_visible()
    expect(page).to_have_url(re.compile("from=.*#chart-cost$"))


def test_prompts_are_sorted_by_their_change(page: Page, visitor: Visitor):
    store_weeks(visitor, slower=True)
    visitor.enter(page)
    page.goto("/dashboard?range=7d")
    page.get_by_role("link", name="Change", exact=True).click()
    expect(page.get_by_role("columnheader", name="Change")).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_role("row", name=str(PROMPT))).to_contain_text("p95")
