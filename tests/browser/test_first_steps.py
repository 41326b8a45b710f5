"""From the first sign-in to the first event on the chart, and nothing reloaded on the way."""

import re
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.browser.visitors import Visitor

EVENT: dict[str, Any] = {
    "prompt_id": "7d6f2f6e-3f0e-4c7e-9d3a-1c2b3a4d5e6f",
    "version_hash": "v1",
    "latency_ms": 812.4,
    "cost_usd": 0.00042,
    "score": 0.87,
}
PATH = "/api/v1/prompts/analytics"


def create_key(page: Page) -> str:
    page.get_by_role("link", name="API keys", exact=True).first.click()
    page.get_by_label("Name").fill("first key")
    page.get_by_role("button", name="Create key").click()
    key = page.get_by_label("API key", exact=True).inner_text()
    assert re.fullmatch(r"eg_live_[0-9A-Za-z]{38}", key)
    return key


def test_a_new_user_comes_from_the_sign_in_to_the_first_event_on_the_chart(page: Page, visitor: Visitor):
    visitor.sign_in(page)
    expect(page.get_by_role("main")).to_contain_text("curl")
    expect(page.get_by_role("main")).to_contain_text(f"{visitor.service}{PATH}")
    headers = {"Authorization": f"Bearer {create_key(page)}"}

    page.get_by_role("link", name="Dashboard", exact=True).click()
    page.evaluate("window.stillTheSamePage = true")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=EVENT["prompt_id"][:8]))
    for number in ("1", "2"):
        assert httpx.post(visitor.service + PATH, json=EVENT, headers=headers).status_code == 204
        expect(row.get_by_role("cell", name=number, exact=True)).to_be_visible(timeout=20_000)
    expect(row).to_contain_text("$0.00084")
    expect(page.get_by_role("figure").first).to_be_visible()
    assert page.evaluate("window.stillTheSamePage")
