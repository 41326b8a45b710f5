"""Inviting somebody, and what they see then."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.page_faults import page_faults
from tests.browser.visitors import PASSWORD, Visitor, new_visitor

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


@pytest.mark.parametrize("look", ["light", "dark", "phone", "no JavaScript"])
def test_who_has_a_sign_in_joins_another_project_with_it(
    new_page: NewPage, visitor: Visitor, service: str, database_url: str, look: str
):
    invited = new_visitor(service, database_url)
    admin = new_page(look)
    visitor.enter(admin)
    admin.goto(f"/dashboard/members?project={visitor.project_id}")
    admin.get_by_label("Email", exact=True).fill(invited.email)
    admin.get_by_role("button", name="Invite").click()
    link = admin.locator("#invitation-link").inner_text()
    expect(admin.get_by_role("main")).to_contain_text("has a sign-in made elsewhere")
    assert page_faults(admin) == []

    joining = new_page(look)
    joining.goto(link)
    assert page_faults(joining) == []
    joining.get_by_label("Password").fill(PASSWORD)
    joining.get_by_role("button", name="Join and sign in").click()
    joining.wait_for_url("**/dashboard**")
    expect(joining.get_by_label(f"Project {visitor.project}: switch")).to_be_visible()


@pytest.mark.parametrize("page", ["light", "phone"], indirect=True)
def test_an_operator_lets_somebody_in_in_two_steps(page: Page, service: str, database_url: str):
    operator, invited = new_visitor(service, database_url, is_operator=True), new_visitor(service, database_url)
    operator.enter(page)
    page.goto(f"/dashboard/members?project={operator.project_id}")
    page.get_by_label("Email", exact=True).fill(invited.email)
    page.get_by_role("button", name="Invite").click()
    page.get_by_label(f"Let in {invited.email}", exact=True).click()
    assert page_faults(page) == []
    page.get_by_role("button", name=f"Yes, let in {invited.email}").click()
    expect(page.get_by_role("status")).to_contain_text(f"{invited.email} is in this project now")


@pytest.mark.parametrize("page", ["light", "phone"], indirect=True)
def test_an_operator_knows_where_they_are_no_member(page: Page, service: str, database_url: str):
    operator, other = new_visitor(service, database_url, is_operator=True), new_visitor(service, database_url)
    operator.enter(page)
    page.goto(f"/dashboard?project={operator.project_id}")
    page.get_by_label(f"Project {operator.project}: switch").click()
    page.get_by_role("link", name=other.project, exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("You are not a member of it")
    page.get_by_label(f"Project {other.project}: switch").click()
    assert page_faults(page) == []


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
