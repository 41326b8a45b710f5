"""Why a client is refused, keys that are changed or end soon, and the first event of a new key, in a real browser."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.api_keys import create_key, skip_key_ids
from tests.browser.conftest import NewPage
from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor, new_visitor
from tests.waiting import wait_until

PATH = "/api/v1/prompts/analytics"
EVENT: dict[str, Any] = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}
HOSTILE = "<svg onload=alert(1)> " + "long" * 30
REFUSED = "/dashboard/refusals"
LOOKS = ("light", "dark", "phone", "no JavaScript")
END_ALL = "UPDATE api_keys SET expires_at = %s WHERE project_id = %s"


def post(visitor: Visitor, key: str, **request: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} | request.pop("headers", {})
    return httpx.post(visitor.service + request.pop("path", PATH), headers=headers, **request)


def make_key(page: Page, name: str) -> str:
    page.goto("/dashboard/api-keys")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create key").click()
    return page.get_by_label("API key", exact=True).inner_text()


def refuse_some(visitor: Visitor, key: str) -> None:
    """One for each way of being wrong that a page tells apart."""
    bad = EVENT | {"latency_ms": "fast", "score": None}
    post(visitor, key, json=bad, headers={"X-Request-Id": "bad-fields"})
    post(visitor, key, path=f"{PATH}/batch", json={"events": [bad, bad]}, headers={"X-Request-Id": "b" * 64})
    post(visitor, key, content=b"x", headers={"X-Request-Id": "no-json"})


def test_from_the_key_to_why_it_is_refused_in_two_clicks(page: Page, visitor: Visitor):
    visitor.enter(page)
    key = make_key(page, "checkout service")
    post(visitor, key, json=EVENT | {"latency_ms": "fast"}, headers={"X-Request-Id": "call-17"})
    page.get_by_role("link", name="API keys", exact=True).click()
    page.get_by_role("row").filter(has_text="checkout service").get_by_role("link", name="refused").click()
    row = page.get_by_role("row").filter(has_text="call-17")
    expect(row).to_contain_text("VALIDATION_ERROR")
    expect(row).to_contain_text("latency_ms Must be a JSON number")
    expect(row).to_contain_text("checkout service")
    # what comes while it is looked at comes by itself
    post(visitor, key, content=b"x", headers={"X-Request-Id": "call-18"})
    expect(page.get_by_role("row").filter(has_text="call-18")).to_be_visible()


def test_the_refused_requests_are_filtered_without_losing_the_project(page: Page, visitor: Visitor):
    visitor.enter(page)
    refuse_some(visitor, make_key(page, "one"))
    page.goto(REFUSED)
    rows = page.locator(".refused tbody tr")
    expect(rows).to_have_count(3)
    page.get_by_label("Code").select_option("UNSUPPORTED_MEDIA_TYPE")
    page.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("no-json")
    assert f"project={visitor.project_id}" in page.url
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    assert download.value.path().read_text("utf-8-sig").count("\n") == 2


@pytest.mark.parametrize("look", LOOKS)
def test_everybody_can_read_why_a_client_is_refused(new_page: NewPage, visitor: Visitor, look: str):
    page = new_page(look)
    visitor.enter(page)
    page.goto(REFUSED)
    expect(page.get_by_text("Nothing was refused")).to_be_visible()
    assert page_faults(page) == []
    refuse_some(visitor, make_key(page, HOSTILE))
    # without JavaScript a person looks again
    expect(page.get_by_role("main")).to_be_visible()
    page.goto(REFUSED)
    for _ in range(50):
        if page.locator(".refused tbody tr").count() == 3:
            break
        page.wait_for_timeout(200)
        page.reload()
    expect(page.locator(".refused tbody tr")).to_have_count(3)
    assert page_faults(page) == []


def test_a_new_keys_page_says_when_its_first_event_came_and_keeps_the_key(page: Page, visitor: Visitor):
    skip_key_ids(visitor.database_url)
    visitor.enter(page)
    key = make_key(page, "first")
    status = page.get_by_role("main").get_by_role("status")
    expect(status).to_contain_text("None yet.")
    expect(page.get_by_role("link", name="Look again")).to_be_hidden()
    assert post(visitor, key, json={}).status_code == 400
    expect(status).to_contain_text("1 request with this key was refused")
    assert post(visitor, key, json=EVENT).status_code == 204
    expect(status).to_contain_text("The first event with this key came at")
    expect(page.get_by_label("API key", exact=True)).to_have_text(key)
    assert page_faults(page) == []


def test_without_javascript_a_link_looks_again_and_leaves_the_key_where_it_is(new_page: NewPage, visitor: Visitor):
    skip_key_ids(visitor.database_url)
    page = new_page("no JavaScript")
    visitor.enter(page)
    key = make_key(page, "first")
    assert post(visitor, key, json=EVENT).status_code == 204
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Look again").click()
    other = opened.value
    came = other.get_by_text("The first event with this key came at")
    again = other.get_by_role("link", name="Look again")
    for _ in range(50):
        expect(came.or_(again)).to_be_visible()
        if came.is_visible():
            break
        again.click()
    expect(came).to_be_visible()
    expect(page.get_by_label("API key", exact=True)).to_have_text(key)


@pytest.mark.parametrize("look", LOOKS)
def test_keys_are_changed_and_those_that_end_soon_are_told_in_the_header(
    new_page: NewPage, visitor: Visitor, look: str
):
    page = new_page(look)
    visitor.enter(page)
    make_key(page, HOSTILE)
    page.goto("/dashboard/api-keys")
    note = page.get_by_role("banner").get_by_role("link", name="1 key ends soon")
    expect(note).to_have_count(0)
    page.get_by_role("link", name="Change").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Change an API key")
    assert page_faults(page) == []
    page.get_by_label("Name").fill("checkout")
    page.get_by_label("Expires").select_option("day")
    page.get_by_label("Last day").fill(f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}")
    page.get_by_role("button", name="Change key").click()
    expect(page.get_by_role("main").get_by_role("status")).to_contain_text("is changed")
    expect(page.get_by_role("row").filter(has_text="checkout")).to_contain_text("Expiring")
    assert page_faults(page) == []
    page.goto("/account")
    assert page_faults(page) == []
    # each process remembers for ten seconds how many there are
    wait_until(lambda: page.reload() and note.count(), timeout_seconds=40, interval_seconds=1)
    note.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("API keys")


@pytest.mark.parametrize("look", LOOKS)
def test_an_empty_project_makes_its_first_key_on_the_dashboard(new_page: NewPage, visitor: Visitor, look: str):
    page = new_page(look)
    visitor.enter(page)
    page.goto("/dashboard")
    expect(page.get_by_text("make demo", exact=True)).to_be_visible()
    assert page_faults(page) == []
    page.get_by_role("button", name="Make an API key").click()
    expect(page.get_by_label("API key", exact=True)).to_be_visible()
    assert page_faults(page) == []


def test_a_member_of_an_empty_project_reads_whom_to_ask(page: Page, visitor: Visitor):
    member = new_visitor(visitor.service, visitor.database_url, role="member", project=visitor.project)
    member.enter(page)
    page.goto("/dashboard")
    expect(page.get_by_role("main")).to_contain_text(f"ask {visitor.email}")
    expect(page.get_by_role("button", name="Make an API key")).to_have_count(0)
    assert page_faults(page) == []


def test_the_header_says_nothing_to_members(page: Page, visitor: Visitor):
    create_key(visitor.database_url, project=visitor.project)
    with psycopg.connect(visitor.database_url) as connection:
        connection.execute(END_ALL, [datetime.now(UTC) + timedelta(days=1), visitor.project_id])
    member = new_visitor(visitor.service, visitor.database_url, role="member", project=visitor.project)
    member.enter(page)
    page.goto("/dashboard/api-keys")
    expect(page.get_by_role("main")).to_contain_text("Expiring")
    expect(page.get_by_role("banner").get_by_role("link", name="ends soon")).to_have_count(0)
