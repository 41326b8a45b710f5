"""From a message to what to do about it."""

from collections.abc import Iterator

import pytest
import redis
from playwright.sync_api import Page, expect

from app.local.redis_server import RunningRedis
from tests.browser.conftest import NewPage
from tests.browser.visitors import Visitor

POLICY = "maxmemory-policy"


@pytest.fixture
def evicting_redis(service: str, redis_server: RunningRedis) -> Iterator[None]:
    """Redis as /readyz does not want it to be, while all goes on."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.config_set(POLICY, "allkeys-lru")
        yield
        client.config_set(POLICY, "noeviction")


def follow_the_failing_check(page: Page, visitor: Visitor) -> None:
    visitor.enter(page)
    page.goto(f"/dashboard/system?project={visitor.project_id}")
    failing = page.get_by_role("listitem").filter(has_text="Redis keeps every event: no.")
    expect(failing).to_be_visible()
    failing.get_by_role("link", name="What to do").click()
    page.wait_for_url("**/docs/runbook#redis_settings")
    entry = page.get_by_role("heading", name="redis_settings", exact=True)
    expect(entry).to_be_in_viewport()


@pytest.mark.usefixtures("evicting_redis")
@pytest.mark.parametrize("look", ["light", "phone", "no JavaScript"])
def test_a_failing_check_leads_to_its_entry(new_page: NewPage, visitor: Visitor, look: str):
    page = new_page(look)
    follow_the_failing_check(page, visitor)
    header = page.get_by_role("banner").bounding_box()
    entry = page.get_by_role("heading", name="redis_settings", exact=True).bounding_box()
    assert header
    assert entry
    assert entry["y"] >= header["y"] + header["height"], "the header lies over the heading"


def test_the_commands_of_an_entry_are_copied_as_they_stand(new_page: NewPage):
    page = new_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/docs/runbook")
    block = page.locator(".commands").first
    block.get_by_role("button", name="Copy").click()
    expect(block.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == block.locator("code").inner_text().strip()
