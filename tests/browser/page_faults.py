"""What a page does wrong for people who can't see it, can't see it well, or hold a phone."""

from pathlib import Path
from typing import cast

from playwright.sync_api import Page

FIND_FAULTS = Path(__file__).with_suffix(".js").read_text()


def page_faults(page: Page) -> list[str]:
    """Sentences about labels, names, headings, ids, contrast (WCAG AA) and width; none for a good page."""
    return cast(list[str], page.evaluate(FIND_FAULTS))
