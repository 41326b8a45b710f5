"""What a page does wrong for people who can't see it, can't see it well, or hold a phone."""

from pathlib import Path
from typing import cast

from playwright.sync_api import Page

# A label is what is touched where it holds the box; one beside a field only names it.
SMALL_TARGETS = """() => [
  ...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, label")]
  .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.closest(".visually-hidden, .skip-link"))
  .filter((each) => !(each.matches("input") && each.closest("label")))
  .filter((each) => !(each.matches("label") && !each.querySelector("input")))
  .filter((each) => {
    const box = each.getBoundingClientRect();
    return box.width > 1 && (box.width < 24 || box.height < 24);
  })
  .map((each) => each.outerHTML.slice(0, 140))"""
CUT = """() => [...document.querySelectorAll(".table-scroll, .site-nav, main")]
  .filter((each) => each.checkVisibility() && each.scrollWidth > each.clientWidth)
  .map((each) => each.outerHTML.slice(0, 140))"""
FIND_FAULTS = Path(__file__).with_suffix(".js").read_text()


def page_faults(page: Page) -> list[str]:
    """Sentences about labels, names, headings, ids, contrast (WCAG AA) and width; none for a good page."""
    return cast(list[str], page.evaluate(FIND_FAULTS))


def small_targets(page: Page) -> list[str]:
    """What can be touched, and is narrower or lower than the 24 pixels of WCAG 2.5.8; the beginning of its HTML."""
    return cast(list[str], page.evaluate(SMALL_TARGETS))


def cut_off(page: Page) -> list[str]:
    """What is wider than its place, so that something of it is only seen by scrolling; the beginning of its HTML."""
    return cast(list[str], page.evaluate(CUT))
