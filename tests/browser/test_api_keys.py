import re
import subprocess

import httpx
import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.api_keys import skip_key_ids
from tests.browser.conftest import NewPage
from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor, new_visitor
from tests.waiting import wait_until

KEYS = "/dashboard/api-keys"
SYSTEM = "/dashboard/system"
EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}
INSERT_DEAD_LETTER = """
INSERT INTO dead_letters (entry_id, payload, reason, received_at) VALUES ('1-0', %s, %s, now())
"""
REFRESH_MS = 40_000
NEEDS_A_NAME = "status of 400"


def create(page: Page, name: str) -> str:
    """Fills the form in and returns the key that the next page shows."""
    page.goto(KEYS)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create key").click()
    return shown_key(page)


def shown_key(page: Page) -> str:
    return page.get_by_label("API key", exact=True).inner_text()


def status_with(visitor: Visitor, key: str) -> int:
    url = f"{visitor.service}/api/v1/prompts/analytics"
    return httpx.post(url, json=EVENT, headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_key_is_created_copied_used_rotated_and_revoked(page: Page, visitor: Visitor):
    skip_key_ids(visitor.database_url)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.enter(page)
    old = create(page, "checkout service")
    page.get_by_role("button", name="Copy key").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == old

    page.get_by_role("button", name="Copy curl").click()
    curl = page.evaluate("navigator.clipboard.readText()")
    sent = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, check=True, timeout=20)
    assert "204" in sent.stdout.splitlines()[0]
    page.get_by_role("link", name="I have copied it").click()
    row = page.get_by_role("row").filter(has_text="checkout service")
    events, last_used = row.get_by_role("cell").nth(2), row.get_by_role("cell").nth(3)
    # The worker counts the event, the web process keeps the use: either may come first.
    wait_until(lambda: page.reload() and events.inner_text().split()[0] == "1" and "just now" in last_used.inner_text())

    row.get_by_role("link", name="Rotate").click()
    page.get_by_label("1 hour").check()
    page.get_by_role("button", name="Rotate key").click()
    new = shown_key(page)
    assert [status_with(visitor, key) for key in (old, new)] == [204, 204]
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_text(f"replaced by {new[:14]}…, works until")).to_be_visible()

    page.get_by_role("link", name=re.compile(f"Revoke checkout service, {old[:14]}")).click()
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.get_by_role("status")).to_contain_text("is revoked")
    wait_until(lambda: status_with(visitor, old) == 401, timeout_seconds=3)
    assert status_with(visitor, new) == 204


def test_a_reload_of_the_page_with_the_key_neither_shows_it_again_nor_makes_another(page: Page, visitor: Visitor):
    visitor.enter(page)
    key = create(page, "once")
    page.reload()
    assert key not in page.content()
    expect(page.get_by_role("alert")).to_contain_text("shown only once")
    expect(page.get_by_role("row").filter(has_text="once")).to_have_count(1)
    page.go_back()
    assert key not in page.content()


def test_the_arrow_keys_choose_the_language_of_the_code(page: Page, visitor: Visitor):
    visitor.enter(page)
    create(page, "tabs")
    page.get_by_role("radio", name="curl").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("import httpx")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("await fetch")).to_be_visible()
    expect(page.get_by_text("curl -i")).to_be_hidden()


def test_all_of_it_works_without_javascript(new_page: NewPage, visitor: Visitor):
    page = new_page("no JavaScript")
    visitor.enter(page)
    key = create(page, "plain")
    page.get_by_text("Python", exact=True).click()
    expect(page.get_by_text("import httpx")).to_be_visible()
    assert status_with(visitor, key) == 204
    page.goto(KEYS)
    page.get_by_role("link", name="Revoke plain").click()
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.get_by_role("status")).to_contain_text("is revoked")
    wait_until(lambda: status_with(visitor, key) == 401, timeout_seconds=3)


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_everybody_can_use_the_pages(new_page: NewPage, visitor: Visitor, look: str):
    page = new_page(look, expected=NEEDS_A_NAME)
    visitor.enter(page)
    assert page_faults_of(page, KEYS) == []
    page.get_by_label("Name").fill(" ")
    page.get_by_label("Expires").select_option("day")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_text("Choose the last day")).to_be_visible()
    assert page_faults(page) == []
    create(page, "<svg onload=alert(1)> \u0646\u0635 " + "long" * 30)
    assert page_faults(page) == []
    assert page_faults_of(page, KEYS) == []
    page.get_by_role("link", name="Rotate").click()
    assert page_faults_at(page, "Rotate an API key") == []
    page.get_by_role("button", name="Rotate key").click()
    assert page_faults_at(page, "Your new API key") == []
    assert page_faults_of(page, KEYS) == []
    page.get_by_role("link", name="Revoke").first.click()
    assert page_faults_at(page, "Revoke an API key") == []
    assert page_faults_of(page, SYSTEM) == []


def test_the_system_page_follows_what_happens_without_moving_what_is_being_answered(
    page: Page, service: str, database_url: str, set_aside
):
    operator = new_visitor(service, database_url, is_operator=True)
    operator.enter(page)
    page.goto(SYSTEM)
    expect(page.get_by_text("No dead letters")).to_be_visible()
    set_aside(b"first", "refused")
    set_aside(b"second", "too large")
    expect(page.locator(".letter-line", has_text="first")).to_be_visible(timeout=REFRESH_MS)
    second = page.get_by_role("row").filter(has_text="second")
    second.locator("summary", has_text="Discard").click()
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM dead_letters WHERE payload = 'first'")
    expect(page.locator(".letter-line", has_text="first")).to_be_hidden(timeout=REFRESH_MS)
    second.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("No dead letters")).to_be_visible()


def test_dead_letters_are_discarded_after_a_question(new_page: NewPage, service: str, database_url: str, set_aside):
    operator = new_visitor(service, database_url, is_operator=True)
    for number in range(2):
        set_aside(b'[1,"<script>alert(1)</script>\xe2\x80\xae%d"]' % number)
    for look in ("light", "dark", "phone"):
        page = new_page(look)
        operator.enter(page)
        assert page_faults_of(page, SYSTEM) == []
        page.locator("summary", has_text="Discard dead letter").first.click()
        assert page_faults(page) == []
    page = new_page("no JavaScript")
    operator.enter(page)
    page.goto(SYSTEM)
    page.locator("summary", has_text="Discard all").first.click()
    page.get_by_role("button", name="Discard", exact=True).first.click()
    expect(page.get_by_text("No dead letters")).to_be_visible()


def page_faults_at(page: Page, heading: str) -> list[str]:
    """Those of the page that a click leads to."""
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    return page_faults(page)


def page_faults_of(page: Page, path: str) -> list[str]:
    page.goto(path)
    return page_faults(page)


@pytest.fixture
def set_aside(database_url: str):
    """Calling it makes a dead letter that belongs to no project."""

    def insert(payload: bytes, reason: str = "refused") -> None:
        with psycopg.connect(database_url) as connection:
            connection.execute(INSERT_DEAD_LETTER, [payload, reason])

    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM dead_letters")
    return insert
