import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.page_faults import page_faults
from tests.browser.visitors import PASSWORD, Visitor


def test_a_user_signs_in_and_out(page: Page, visitor: Visitor):
    visitor.enter(page)
    page.goto("/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("Account")
    page.get_by_label("Your account").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    page.goto("/account")
    page.wait_for_url("**/login?next=**")


def test_the_keyboard_is_enough_to_sign_in(page: Page, visitor: Visitor):
    page.goto("/login?next=/account")
    expect(page.get_by_label("Email")).to_be_focused()
    page.keyboard.type(visitor.email)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/account")


def test_the_keyboard_goes_past_the_navigation(page: Page, visitor: Visitor):
    visitor.enter(page)
    page.goto("/account")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Email")).to_be_focused()


def test_a_wrong_password_is_told_where_a_screen_reader_reads_it(new_page: NewPage, visitor: Visitor):
    page = new_page(expected="status of 401")
    page.goto("/login")
    page.get_by_label("Email").fill(visitor.email)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("Email or password is wrong.")
    assert page_faults(page) == []


@pytest.mark.parametrize("page", ["light", "dark", "phone", "no JavaScript"], indirect=True)
def test_everybody_can_use_the_sign_in_page(page: Page):
    page.goto("/login")
    expect(page.get_by_label("Email")).to_be_visible()
    assert page_faults(page) == []


def test_it_works_without_javascript(new_page: NewPage, visitor: Visitor):
    page = new_page("no JavaScript")
    page.goto("/login?next=/account")
    page.get_by_label("Email").fill(visitor.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/account")
