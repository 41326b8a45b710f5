"""What people come for, from the dashboard, with at most three clicks."""

import re
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from app.core.contract import EXAMPLE_EVENT
from tests.api_keys import create_key
from tests.browser.test_what_changed import store_weeks
from tests.browser.visitors import Visitor
from tests.stored_events import PROMPT, an_event, store_events

MOST_CLICKS = 3
PRICES = {"dear": 50, "middling": 30, "thrifty": 10}


class Clicks:
    """Counts them."""

    def __init__(self) -> None:
        self.count = 0

    def on(self, place: Locator) -> None:
        place.click()
        self.count += 1


@pytest.fixture
def clicks() -> Iterator[Clicks]:
    clicks = Clicks()
    yield clicks
    assert clicks.count <= MOST_CLICKS


def store_versions(visitor: Visitor) -> None:
    """Three versions side by side, one after the other known, whose prices differ."""
    for version, price in PRICES.items():
        events = [
            an_event(
                visitor.project_id, timedelta(minutes=number), version=version, cost_usd=f"0.00{price + number % 5}"
            )
            for number in range(1, 400)
        ]
        store_events(visitor.database_url, events)


def row_of(page: Page, version: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=version, exact=True))


def open_dashboard(page: Page, visitor: Visitor) -> None:
    visitor.enter(page)
    page.goto("/dashboard")


def test_which_version_is_the_cheapest_and_is_it_real(page: Page, visitor: Visitor, clicks: Clicks):
    store_versions(visitor)
    open_dashboard(page, visitor)
    clicks.on(page.get_by_role("region", name="Prompts").get_by_role("link", name=str(PROMPT)[:8]))
    clicks.on(page.get_by_role("link", name="All versions against one"))
    row = row_of(page, "thrifty")
    expect(row).to_contain_text("Better")
    expect(row.locator('[data-label="Cost"] .change.good')).to_contain_text("62")


def test_what_is_worse_than_before(page: Page, visitor: Visitor, clicks: Clicks):
    store_weeks(visitor, slower=True)
    open_dashboard(page, visitor)
    changed = page.get_by_role("region", name="What changed").get_by_role("listitem").filter(has_text="worse")
    expect(changed).to_contain_text("p95 latency")
    clicks.on(changed.get_by_role("link").first)
    expect(page).to_have_url(re.compile(rf"/prompts/{PROMPT}\?"))


def test_what_is_worse_since_yesterday(page: Page, visitor: Visitor, clicks: Clicks):
    store_weeks(visitor, slower=True, slower_days=1)
    open_dashboard(page, visitor)
    clicks.on(page.get_by_role("navigation", name="Range of time").get_by_role("link", name="Yesterday"))
    clicks.on(page.get_by_role("link", name="Change", exact=True))
    row = page.locator(".prompts tbody tr").first
    expect(row.locator('[data-label="Change"] .change.bad')).to_contain_text("higher")
    clicks.on(row.get_by_role("link"))
    expect(page).to_have_url(re.compile(rf"/prompts/{PROMPT}\?.*range=yesterday"))


def test_how_two_versions_compare_whichever_they_are(page: Page, visitor: Visitor, clicks: Clicks):
    store_versions(visitor)
    open_dashboard(page, visitor)
    clicks.on(page.get_by_role("region", name="Prompts").get_by_role("link", name=str(PROMPT)[:8]))
    clicks.on(page.get_by_role("link", name="All versions against one"))
    clicks.on(page.get_by_role("link", name="Hold all against it (dear)"))
    expect(page.get_by_role("heading", name="Against dear")).to_be_visible()
    expect(row_of(page, "thrifty")).to_contain_text("Better")
    expect(row_of(page, "middling")).to_contain_text("Better")


def test_why_a_client_is_refused(page: Page, visitor: Visitor, clicks: Clicks):
    key = create_key(visitor.database_url, project=visitor.project)
    answer = httpx.post(
        f"{visitor.service}/api/v1/prompts/analytics",
        json={**EXAMPLE_EVENT, "latency_ms": "slow"},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 400
    open_dashboard(page, visitor)
    clicks.on(page.get_by_role("navigation", name="Main").get_by_role("link", name="API keys"))
    clicks.on(page.get_by_role("link", name="refused with"))
    row = page.get_by_role("row").filter(has_text="latency_ms")
    expect(row).to_contain_text(answer.json()["error"]["requestId"])


def test_is_everything_flowing(page: Page, visitor: Visitor, clicks: Clicks):
    open_dashboard(page, visitor)
    light = page.locator("#health")
    expect(light).to_contain_text("OK")
    clicks.on(light.locator("summary"))
    expect(light).to_contain_text("Events flow")
    clicks.on(light.get_by_role("link").last)
    expect(page.get_by_role("heading", name="All is well")).to_be_visible()
