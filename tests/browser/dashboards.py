"""A project with history, and what its dashboard shows."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Locator, Page

from tests.api_keys import create_key
from tests.browser.visitors import Visitor
from tests.stored_events import PROMPT, an_event, store_events

EVERYBODY = pytest.mark.parametrize("page", ["light", "dark", "phone", "no JavaScript"], indirect=True)

REFRESH_TIMEOUT_MS = 40_000
# In pixels, from the line of the dot's own series; null where there is no dot.
DISTANCE_OF_DOT = """(chart) => {
  const dot = document.querySelector(`${chart} .chart-dot`);
  if (!dot) return null;
  const box = dot.getBoundingClientRect();
  const middle = new DOMPoint(box.x + box.width / 2, box.y + box.height / 2);
  const series = [...dot.classList].find((name) => name.startsWith("series-"));
  const line = document.querySelector(`${chart} .chart-drawing .${series} .chart-line:not(.dashed)`);
  const toScreen = line.getScreenCTM();
  const length = line.getTotalLength();
  const distances = Array.from({ length: 4001 }, (_, step) => {
    const point = line.getPointAtLength((length * step) / 4000).matrixTransform(toScreen);
    return Math.hypot(point.x - middle.x, point.y - middle.y);
  });
  return Math.min(...distances);
}"""


def send_event(visitor: Visitor, **values: object) -> None:
    """One event through the API, as a client sends it."""
    key = create_key(visitor.database_url, project=visitor.project)
    answer = httpx.post(
        f"{visitor.service}/api/v1/prompts/analytics",
        json={"prompt_id": str(PROMPT), "version_hash": "v1", **values},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 204


def store_history(visitor: Visitor) -> None:
    """Two versions of one prompt and one of another."""
    events = [
        an_event(
            visitor.project_id,
            timedelta(minutes=10 * number),
            version="new" if number < 40 else "old",
            latency_ms=str(800 + 10 * (number % 7) + (0 if number < 40 else 400)),
            cost_usd=f"0.00{40 + number % 5}",
            score=f"0.{80 + number % 9}",
        )
        for number in range(80)
    ]
    store_events(visitor.database_url, [*events, an_event(visitor.project_id, prompt=UUID(int=7))])


def events_figure(page: Page) -> Locator:
    return page.locator(".figure-value").first


def interactive_chart(page: Page, name: str | None = None) -> Locator:
    """The part of a chart that a pointer or the keyboard reads: of the one with this name, or of the first."""
    if name is None:
        return page.locator(".chart-area-of-pointer").first
    return page.get_by_role("application", name=name)


def point_at(page: Page, chart: Locator, across: float) -> None:
    """At a part of the chart's width."""
    chart.scroll_into_view_if_needed()
    area = chart.bounding_box()
    assert area
    page.mouse.move(area["x"] + area["width"] * across, area["y"] + area["height"] / 2, steps=3)


def table_of(page: Page, chart: str) -> list[list[str]]:
    """The rows of the table beside a chart, whether it is open or not."""
    rows = page.locator(f"#chart-{chart} .chart-table tbody tr")
    return [
        [cell.strip() for cell in row.split("\t")]
        for row in rows.evaluate_all(
            "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent).join('\\t'))"
        )
    ]


def live_words(page: Page, chart: str) -> str:
    return page.locator(f"#chart-{chart} [aria-live]").inner_text()
