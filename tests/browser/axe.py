"""What keeps people out of a page, as axe-core finds it."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

OF_COLOURS = ("color-contrast", "link-in-text-block")
"""The rules that a dark page can break alone: all that the others look at is the same in it as in the light one."""


def violations(
    page: Page, context: str | None = None, *, look: str = "light", without: tuple[str, ...] = ()
) -> dict[str, list[str]]:
    """By rule, the elements that break it; of the part of the page that this selector finds, or of all."""
    options: dict[str, object] = {"resultTypes": ["violations"]}
    if look == "dark":
        options["runOnly"] = OF_COLOURS
    else:
        options["rules"] = {rule: {"enabled": False} for rule in without}
    found = Axe().run(page, context=context, options=options).response["violations"]
    return {each["id"]: [str(node["target"]) for node in each["nodes"]] for each in found}
