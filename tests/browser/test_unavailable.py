"""Pages while PostgreSQL is away."""

import httpx
import pytest
from playwright.sync_api import expect

from app.local.postgres import RunningPostgres
from tests.browser.conftest import NewPage
from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor
from tests.waiting import wait_until

BACK_MS = 60_000
"""Two attempts and their pauses, on a busy machine."""


def test_a_page_that_could_not_be_shown_shows_itself_once_postgresql_is_back(
    new_page: NewPage, visitor: Visitor, postgres: RunningPostgres
):
    page = new_page(expected="503")
    visitor.enter(page)
    keys = f"/dashboard/api-keys?project={visitor.project_id}"
    postgres.stop()
    try:
        page.goto(keys)
        expect(page.get_by_role("status")).to_have_text("This page tries again by itself.")
        assert page_faults(page) == []
    finally:
        postgres.restart()
    expect(page.get_by_role("heading", level=1)).to_have_text("API keys", timeout=BACK_MS)
    assert page.url.endswith(keys)


def test_nobody_needs_javascript_to_try_again(new_page: NewPage, visitor: Visitor, postgres: RunningPostgres):
    page = new_page("no JavaScript", expected="503")
    visitor.enter(page)
    postgres.stop()
    try:
        page.goto("/dashboard/api-keys")
    finally:
        postgres.restart()
    wait_until(lambda: httpx.get(f"{visitor.service}/readyz").status_code == 200)
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("API keys")


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_the_system_page_works_without_postgresql_and_is_whole_again_when_it_is_back(
    new_page: NewPage, visitor: Visitor, postgres: RunningPostgres, look: str
):
    page = new_page(look, expected="503")
    visitor.enter(page)
    postgres.stop()
    try:
        page.goto(f"/dashboard/system?project={visitor.project_id}")
        expect(page.get_by_text("PostgreSQL answers: no.")).to_be_visible()
        expect(page.locator("#live-status")).to_have_attribute("data-state", "broken")
        assert page_faults(page) == []
    finally:
        postgres.restart()
    expect(page.get_by_role("heading", name="Dead letters", exact=True)).to_be_visible(timeout=2 * BACK_MS)
    expect(page.get_by_role("link", name="API keys")).to_be_visible()
