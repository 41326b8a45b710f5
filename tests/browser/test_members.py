"""The pages of members and accounts."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor


@pytest.mark.parametrize("page", ["light", "dark", "phone", "no JavaScript"], indirect=True)
def test_everybody_can_use_the_pages_of_accounts(page: Page, visitor: Visitor):
    visitor.enter(page)
    for path in (f"/dashboard/members?project={visitor.project_id}", "/account"):
        page.goto(path)
        assert page_faults(page) == [], path


@pytest.mark.parametrize("page", ["phone", "no JavaScript"], indirect=True)
def test_a_member_is_removed_in_two_steps(page: Page, visitor: Visitor):
    visitor.enter(page)
    page.goto(f"/dashboard/members?project={visitor.project_id}")
    page.get_by_label(f"Remove {visitor.email}", exact=True).click()
    page.get_by_role("button", name=f"Yes, remove {visitor.email}").click()
    expect(page.get_by_role("alert")).to_contain_text("keeps at least one admin")


def test_menus_close_on_escape_and_on_a_click_elsewhere(page: Page, visitor: Visitor):
    visitor.enter(page)
    page.goto("/account")
    menu = page.get_by_role("button", name="Sign out")
    button = page.get_by_label("Your account")
    button.click()
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    page.get_by_role("heading", level=1).click()
    expect(menu).to_be_hidden()
