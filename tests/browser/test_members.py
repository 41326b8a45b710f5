"""Inviting somebody, and what they see then."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor

THEIR_PASSWORD = "a password of their own"


def test_an_invited_member_chooses_a_password_and_is_in(new_page: NewPage, visitor: Visitor):
    admin = new_page()
    visitor.enter(admin)
    admin.goto(f"/dashboard/members?project={visitor.project_id}")
    invited = f"invited-{visitor.project_id}@example.com"
    admin.get_by_label("Email", exact=True).fill(invited)
    admin.get_by_role("button", name="Invite").click()
    link = admin.locator("#invitation-link").inner_text()
    assert page_faults(admin) == []

    member = new_page()
    member.goto(link)
    assert page_faults(member) == []
    member.get_by_label("New password").fill(THEIR_PASSWORD)
    member.get_by_label("The same again").fill(THEIR_PASSWORD)
    member.get_by_role("button", name="Save and sign in").click()
    member.wait_for_url("**/dashboard**")
    expect(member.get_by_label(f"Project {visitor.project}: switch")).to_be_visible()
    expect(member.get_by_role("link", name="Members")).to_have_count(0)


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
