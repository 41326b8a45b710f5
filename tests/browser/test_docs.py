from playwright.sync_api import Page, expect


def test_the_documentation_of_the_api_shows_every_operation(page: Page):
    page.goto("/docs")
    expect(page.locator(".opblock-summary-path").first).to_be_visible()
    paths = page.locator(".opblock-summary-path").all_inner_texts()
    assert [path.replace("\u200b", "") for path in paths].count("/api/v1/prompts/analytics") == 2
