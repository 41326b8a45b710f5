"""What charts and cards show of usage, and the pages with both."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response

from app.core.analytics.period import Period
from app.core.analytics.usage import MAX_ROWS, Usage
from app.web.pages.charts.changes import change_of, compared_with
from app.web.pages.charts.chart import Bucket, Measure
from app.web.pages.layout.formatting import Change, count, duration, money, percent_change, score
from app.web.pages.layout.ranges import RANGES, PageRange
from app.web.pages.layout.rendering import page

ValueOf = Callable[[Usage], float | None]

EVENTS = Measure("events", "Events", count, is_count=True, is_sum=True)
COST = Measure("cost", "Cost", money, is_sum=True)
COST_PER_EVENT = Measure("cost", "Cost per event", money)
P50 = Measure("p50", "Latency, p50", duration, is_time=True)
P95 = Measure("p95", "Latency, p95", duration, is_time=True)
SCORE = Measure("score", "Mean score", score, from_zero=False)

OF_VERSIONS: dict[str, tuple[Measure, ValueOf]] = {
    "cost": (COST_PER_EVENT, lambda usage: usage.cost_usd.mean),
    "p50": (P50, lambda usage: usage.latency_ms.p50),
    "p95": (P95, lambda usage: usage.latency_ms.p95),
    "score": (SCORE, lambda usage: usage.score.mean),
    "events": (EVENTS, lambda usage: usage.events),
}
"""What the lines of versions can show, by its name in URLs; the first is shown unless another is asked for."""


@dataclass(frozen=True, slots=True)
class Card:
    """A number of the range and how it has changed; of cost also how that of an event has, for the same prompts.

    Changes are None where there is nothing to compare with.
    """

    label: str
    value: str
    change: Change | None
    per_event: Change | None = None


@dataclass(frozen=True, slots=True)
class Cards:
    """`compared_with`: in words; None where there is no past."""

    shown: list[Card]
    compared_with: str | None


def page_of_range(
    template: str, shown: PageRange, now: datetime, period: Period, *, truncated: bool, **context: Any
) -> Response:
    """A page about a range, with its cards; 400 where it shows another one than was asked for."""
    return page(
        template,
        active="dashboard",
        status=200 if shown.problem is None else 400,
        now=now,
        shown=shown,
        ranges=RANGES,
        cards=cards_of(period),
        truncated_at=MAX_ROWS if truncated else None,
        **context,
    )


def buckets_of(period: Period) -> list[Bucket]:
    return [Bucket(point.start, point.whole) for point in period.series]


def cards_of(period: Period) -> Cards:
    now, changes = period.totals, period.changes
    mix = changes.mix if changes else {}
    cards = [
        Card("Events", count(now.events), percent_change(now.events, changes.events) if changes else None),
        Card(
            "Cost",
            money(now.cost_usd.sum),
            percent_change(now.cost_usd.sum, changes.cost_usd) if changes else None,
            change_of(mix.get("cost_usd")),
        ),
        Card("Mean score", score(now.score.mean), change_of(mix.get("score"))),
        Card("Latency, p50", duration(now.latency_ms.p50), change_of(mix.get("latency_p50_ms"))),
        Card("Latency, p95", duration(now.latency_ms.p95), change_of(mix.get("latency_p95_ms"))),
    ]
    return Cards(cards, compared_with(changes.past) if changes else None)
