"""The pages by keyboard."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import NewPage
from tests.browser.dashboards import store_history
from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor, new_visitor


def open_dashboard(page: Page, visitor: Visitor) -> None:
    store_history(visitor)
    visitor.enter(page)
    page.goto("/dashboard")
    expect(page.get_by_label("Search prompts")).to_be_visible()


def test_keys_lead_to_the_search_and_to_pages(page: Page, visitor: Visitor):
    open_dashboard(page, visitor)
    page.keyboard.press("/")
    search = page.get_by_label("Search prompts")
    expect(search).to_be_focused()
    expect(search).to_have_value("")
    page.keyboard.press("Tab")
    for key, heading in (("k", "API keys"), ("s", "System"), ("n", "News"), ("d", "Dashboard")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        assert page.url.endswith(f"project={visitor.project_id}")


def test_keys_do_nothing_while_one_types(page: Page, visitor: Visitor):
    open_dashboard(page, visitor)
    search = page.get_by_label("Search prompts")
    search.focus()
    page.keyboard.type("g k/?")
    expect(search).to_have_value("g k/?")
    expect(page.locator("#shortcuts")).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")


@pytest.mark.parametrize("page", ["light", "dark", "phone"], indirect=True)
def test_a_question_mark_shows_the_keys_and_escape_closes_it(page: Page, visitor: Visitor):
    open_dashboard(page, visitor)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("System")
    assert page_faults(page) == []
    assert violations(page, "#shortcuts") == {}
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_label("Your account").click()
    page.get_by_role("button", name="Keyboard").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_members_are_not_led_where_they_may_not_go(page: Page, visitor: Visitor):
    member = new_visitor(visitor.service, visitor.database_url, role="member", project=visitor.project)
    open_dashboard(page, member)
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).not_to_contain_text("System")
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")


def test_keys_can_be_switched_off_for_good(page: Page, visitor: Visitor):
    open_dashboard(page, visitor)
    page.keyboard.press("?")
    page.get_by_label("These keys work in this browser").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_hidden()
    page.get_by_label("Your account").click()
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_label("These keys work in this browser").check()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()


def test_without_javascript_nothing_of_it_shows(new_page: NewPage, visitor: Visitor):
    page = new_page("no JavaScript")
    open_dashboard(page, visitor)
    expect(page.locator("#shortcuts")).to_be_hidden()
    page.get_by_label("Your account").click()
    expect(page.locator("[data-opens=shortcuts]")).to_be_hidden()
