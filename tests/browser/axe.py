"""What keeps people out of a page, as axe-core finds it."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def violations(page: Page, context: str | None = None) -> dict[str, list[str]]:
    """By rule, the elements that break it; of the part of the page that this selector finds, or of all."""
    found = Axe().run(page, context=context).response["violations"]
    return {each["id"]: [str(node["target"]) for node in each["nodes"]] for each in found}
