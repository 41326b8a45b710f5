"""/docs: Swagger UI, in light and dark, for everybody, and with a way back."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import NewPage
from tests.browser.visitors import Visitor


def open_docs(page: Page) -> None:
    page.goto("/docs")
    expect(page.locator(".opblock-summary-path").first).to_be_visible()


def test_the_documentation_of_the_api_shows_every_operation(page: Page):
    open_docs(page)
    paths = page.locator(".opblock-summary-path").all_inner_texts()
    assert [path.replace("\u200b", "") for path in paths].count("/api/v1/prompts/analytics") == 2


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_the_documentation_keeps_nobody_out(new_page: NewPage, look: str):
    page = new_page(look)
    open_docs(page)
    # from the last to the first, so that those that are still to be clicked stay where they are
    for operation in reversed(page.locator(".opblock-summary-control[aria-expanded=false]").all()):
        operation.click()
    expect(page.locator(".opblock.is-open .responses-table")).to_have_count(page.locator(".opblock").count())
    expect(page.locator(".opblock.is-open .microlight").first).to_be_visible()
    assert violations(page, look=look) == {}


def test_the_documentation_follows_the_colours_of_the_system(page: Page):
    open_docs(page)
    expect(page.locator("body")).to_have_css("background-color", "rgb(250, 250, 250)")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(28, 32, 34)")


def test_the_documentation_leads_back_to_the_dashboard(page: Page, visitor: Visitor):
    visitor.enter(page)
    open_docs(page)
    page.get_by_role("link", name="Dashboard", exact=False).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
