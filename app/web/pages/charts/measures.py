"""What charts and cards show of usage, and the pages with both."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response
from werkzeug.datastructures import MultiDict

from app.core.analytics.period import Period
from app.core.analytics.usage import MAX_ROWS, Usage
from app.web.pages.charts.changes import change_of, compared_with
from app.web.pages.charts.chart import Bucket, Frame, Measure
from app.web.pages.layout.exact import exact_count, exact_duration, exact_money, exact_score
from app.web.pages.layout.formatting import Change, Number, count, duration, money, percent_change, score
from app.web.pages.layout.ranges import RANGES, PageRange
from app.web.pages.layout.rendering import page

ValueOf = Callable[[Usage], Number | None]

_NO_COST, _NO_LATENCY = "No event with a cost in this range", "No event with a latency in this range"

EVENTS = Measure(
    "events", "Events", "events", count, exact_count, "No events in this range", is_count=True, is_sum=True
)
COST = Measure("cost", "Cost", "cost_usd", money, exact_money, _NO_COST, is_sum=True)
COST_PER_EVENT = Measure("cost", "Cost per event", "cost_per_event_usd", money, exact_money, _NO_COST)
LATENCY = Measure("latency", "Latency", "latency_ms", duration, exact_duration, _NO_LATENCY, is_time=True)
P50 = Measure("p50", "Latency, p50", "p50_latency_ms", duration, exact_duration, _NO_LATENCY, is_time=True)
P95 = Measure("p95", "Latency, p95", "p95_latency_ms", duration, exact_duration, _NO_LATENCY, is_time=True)
SCORE = Measure(
    "score", "Mean score", "mean_score", score, exact_score, "No event with a score in this range", from_zero=False
)

OF_VERSIONS: dict[str, tuple[Measure, ValueOf]] = {
    "cost": (COST_PER_EVENT, lambda usage: usage.cost_usd.mean),
    "p50": (P50, lambda usage: usage.latency_ms.p50),
    "p95": (P95, lambda usage: usage.latency_ms.p95),
    "score": (SCORE, lambda usage: usage.score.mean),
    "events": (EVENTS, lambda usage: usage.events),
}
"""What the lines of versions can show, by its name in URLs; unless one is asked for, the first with data is shown."""


@dataclass(frozen=True, slots=True)
class Card:
    """A number of the range, shortened and with all its digits, and how it has changed.

    Of cost also how that of an event has, for the same prompts. Changes are None where there is no past to speak of.
    """

    label: str
    value: str
    exact: str
    change: Change | None
    per_event: Change | None = None


@dataclass(frozen=True, slots=True)
class Cards:
    """`compared_with`: in words; None where there is no past."""

    shown: list[Card]
    compared_with: str | None


MOST_HIDDEN = 50
FEWEST_EVENTS_BEFORE = 30
"""With fewer events in the past on average, a change in per cent says more of chance than of what has changed."""


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


def frame_of(period: Period) -> Frame:
    return Frame([Bucket(point.start, point.whole) for point in period.series], period.interval, period.time_range)


def hidden_lines(arguments: "MultiDict[str, str]") -> tuple[str, ...]:
    """The keys of the lines that charts are not to show, as an address says."""
    return tuple(dict.fromkeys(arguments.getlist("hidden")[:MOST_HIDDEN]))


def cards_of(period: Period) -> Cards:
    now, changes = period.totals, period.changes
    mix = changes.mix if changes else {}
    past = changes if changes and changes.events >= FEWEST_EVENTS_BEFORE else None
    cards = [
        Card(
            "Events",
            count(now.events),
            exact_count(now.events),
            percent_change(now.events, past.events) if past else None,
        ),
        Card(
            "Cost",
            money(now.cost_usd.sum),
            exact_money(now.cost_usd.sum),
            percent_change(now.cost_usd.sum, past.cost_usd) if past else None,
            change_of(mix.get("cost_usd")),
        ),
        Card("Mean score", score(now.score.mean), exact_score(now.score.mean), change_of(mix.get("score"))),
        Card(
            "Latency, p50",
            duration(now.latency_ms.p50),
            exact_duration(now.latency_ms.p50),
            change_of(mix.get("latency_p50_ms")),
        ),
        Card(
            "Latency, p95",
            duration(now.latency_ms.p95),
            exact_duration(now.latency_ms.p95),
            change_of(mix.get("latency_p95_ms")),
        ),
    ]
    return Cards(cards, compared_with(changes.past) if changes else None)
