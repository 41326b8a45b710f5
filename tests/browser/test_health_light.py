"""The light in the header, and what pages say of their age, while servers and the worker are away."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis
from playwright.sync_api import Browser, Page, expect

from app.core.stream.state import STREAM
from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from tests.browser.axe import violations
from tests.browser.conftest import NewPage
from tests.browser.dashboards import REFRESH_TIMEOUT_MS, store_history
from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor, new_visitor
from tests.waiting import wait_until

OUTAGE_MS = 2 * REFRESH_TIMEOUT_MS


@pytest.fixture(scope="module")
def service(browser: Browser, empty_servers: dict[str, str], web: str) -> str:
    """Web without a worker: what comes in waits."""
    return web


@pytest.fixture
def waiting_events(redis_url: str) -> Iterator[redis.Redis]:
    """Three events came 20 seconds ago."""
    with redis.Redis.from_url(redis_url) as client:
        since = datetime.now(UTC) - timedelta(seconds=20)
        for number in range(3):
            client.xadd(STREAM, {"e": b"x"}, id=f"{int(since.timestamp() * 1_000)}-{number}")
        yield client
        client.delete(STREAM)


def open_dashboard(page: Page, visitor: Visitor) -> None:
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard?range=1h")


def test_the_light_is_green_and_says_why_and_leads_on(page: Page, visitor: Visitor):
    open_dashboard(page, visitor)
    light = page.locator("#health")
    expect(light).to_have_attribute("data-state", "ok")
    light.locator("summary").click()
    expect(light).to_contain_text("Events flow: nothing waits")
    assert page_faults(page) == []
    light.get_by_role("link", name="System page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("System")
    expect(page.locator("#health")).to_have_attribute("data-state", "ok")


def test_members_read_what_the_light_says(page: Page, visitor: Visitor):
    member = new_visitor(visitor.service, visitor.database_url, role="member", project=visitor.project)
    open_dashboard(page, member)
    page.locator("#health summary").click()
    page.get_by_role("link", name="What the light says").click()
    expect(page.get_by_role("heading", name="The light in the header")).to_be_visible()


@pytest.mark.parametrize("look", ["light", "dark", "phone", "no JavaScript"])
def test_the_dashboard_says_up_to_when_it_goes_while_events_wait(
    new_page: NewPage, visitor: Visitor, waiting_events: redis.Redis, look: str
):
    page = new_page(look)
    open_dashboard(page, visitor)
    expect(page.locator("#health")).to_have_attribute("data-state", "delayed")
    age = page.locator("#live-status")
    expect(age).to_have_text(re.compile(r"Data up to \d\d:\d\d:\d\d UTC; 3 events wait"))
    assert page_faults(page) == []
    if look != "no JavaScript":
        page.locator("#health summary").click()
        assert violations(page, ".site-header", look=look) == {}
    if look == "light":
        waiting_events.delete(STREAM)
        expect(age).to_contain_text("Updated", timeout=REFRESH_TIMEOUT_MS)
        expect(page.locator("#health")).to_have_attribute("data-state", "ok")


def test_a_dashboard_without_redis_is_not_green(new_page: NewPage, visitor: Visitor, redis_server: RunningRedis):
    page = new_page(expected="503")
    open_dashboard(page, visitor)
    age = page.locator("#live-status")
    expect(age).to_contain_text("Updated", timeout=REFRESH_TIMEOUT_MS)
    redis_server.stop()
    try:
        expect(page.locator("#health")).to_have_attribute("data-state", "broken", timeout=OUTAGE_MS)
        expect(age).to_have_attribute("data-state", "broken")
        expect(age).to_have_text("What waits to be stored is not known: Redis does not answer")
        page.locator("#health summary").click()
        expect(page.locator("#health")).to_contain_text("Redis did not answer")
        assert page_faults(page) == []
    finally:
        redis_server.restart()
    expect(page.locator("#health")).to_have_attribute("data-state", "ok", timeout=OUTAGE_MS)
    expect(age).to_contain_text("Updated")


def test_a_dashboard_without_postgresql_is_not_green(new_page: NewPage, visitor: Visitor, postgres: RunningPostgres):
    page = new_page(expected="503")
    open_dashboard(page, visitor)
    postgres.stop()
    try:
        expect(page.locator("#health")).to_have_attribute("data-state", "broken", timeout=OUTAGE_MS)
        expect(page.locator("#live-status")).to_have_attribute("data-state", "broken")
        expect(page.locator("#live-status")).to_contain_text("Paused")
        expect(page.locator("#health")).to_contain_text("PostgreSQL did not answer")
    finally:
        postgres.restart()
    expect(page.locator("#health")).to_have_attribute("data-state", "ok", timeout=2 * OUTAGE_MS)


def test_a_page_that_nobody_refreshes_asks_how_it_stands(page: Page, visitor: Visitor, waiting_events: redis.Redis):
    page.clock.install()
    visitor.enter(page)
    page.goto("/dashboard/api-keys")
    wait_until(lambda: _state_in_half_a_minute(page) == "delayed")
    waiting_events.delete(STREAM)
    wait_until(lambda: _state_in_half_a_minute(page) == "ok")


def _state_in_half_a_minute(page: Page) -> str | None:
    with page.expect_response("**/dashboard/health**"):
        page.clock.fast_forward(31_000)
    return page.locator("#health").get_attribute("data-state")


def test_a_page_whose_service_is_gone_does_not_stay_green(new_page: NewPage, visitor: Visitor):
    page = new_page(expected="/dashboard/health")
    page.clock.install()
    visitor.enter(page)
    page.goto("/dashboard/api-keys")
    page.route("**/dashboard/health**", lambda route: route.abort())
    page.clock.fast_forward(31_000)
    light = page.locator("#health")
    expect(light).to_have_attribute("data-state", "broken")
    expect(light.locator("summary")).to_contain_text("No answer")
    page.unroute("**/dashboard/health**")
    wait_until(lambda: _state_in_half_a_minute(page) == "ok")
