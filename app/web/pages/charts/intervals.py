"""How an interval shrank over time, as inline SVG: a band around a line, before no difference and the margins.

Positions along time are per cent and the drawing is stretched, as in `app.web.pages.charts.chart`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from app.web.pages.charts.paths import BOX_HEIGHT, BOX_WIDTH
from app.web.pages.charts.scales import Tick, value_steps

ROOM = 1.25
"""The axis reaches so much further than what has to be seen."""


class Scale(NamedTuple):
    """How values of the axis are shown: `shown` gives the number that `text` writes, `value_of` is its inverse."""

    shown: Callable[[float], float]
    value_of: Callable[[float], float]
    text: Callable[[float], str]


class Bounds(NamedTuple):
    """What was known at a time, in the unit of the axis; None where nothing was said yet. Bounds may be infinite."""

    time: datetime
    estimate: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """`band` and `line` are paths in a box of BOX_WIDTH by BOX_HEIGHT; tops are per cent of its height.

    `clear_percent` is where along time the difference became clear, None where it is not. `data` is for the script.
    """

    band: str
    line: str
    margin_top: float
    margin_height: float
    clear_percent: float | None
    value_ticks: list[Tick]
    time_ticks: list[Tick]
    data: dict[str, Any]


def interval_chart(points: Sequence[Bounds], margin: float, clear_from: datetime | None, scale: Scale) -> IntervalChart:
    """The chart of points over even steps of time, with the margin on either side of zero.

    What lies outside is cut off: an interval is wide when it begins, and would hide how it ends.
    """
    reach = ROOM * max(margin, *(_seen(point) for point in points[-1:]))
    steps = len(points) - 1
    places = [BOX_WIDTH * number / steps if steps else BOX_WIDTH / 2 for number in range(len(points))]
    band, line = [], []
    for known, run in groupby(range(len(points)), lambda number: points[number].estimate is not None):
        numbers = list(run)
        if known:
            highs = [_corner(places[number], points[number].high, reach) for number in numbers]
            lows = [_corner(places[number], points[number].low, reach) for number in reversed(numbers)]
            band.append(f"M{' '.join(highs + lows)}Z")
            middle = [_corner(places[number], points[number].estimate or 0.0, reach) for number in numbers]
            line.append(f"M{' '.join(middle)}" + ("h0" if len(middle) == 1 else ""))
    times = [point.time for point in points]
    return IntervalChart(
        band="".join(band),
        line="".join(line),
        margin_top=_top(margin, reach),
        margin_height=round(_top(-margin, reach) - _top(margin, reach), 2),
        clear_percent=round(places[times.index(clear_from)] / BOX_WIDTH * 100, 2) if clear_from else None,
        value_ticks=_value_ticks(reach, scale),
        time_ticks=_ends(times),
        data={
            "downs": [[_seen_at(point.estimate, reach) for point in points]],
            "moments": [[times.index(clear_from), "Clear from here on."]] if clear_from else [],
        },
    )


def _value_ticks(reach: float, scale: Scale) -> list[Tick]:
    """By per cent from the top."""
    steps = value_steps([scale.shown(-reach), scale.shown(reach)], from_zero=True)
    low, high = scale.shown(-reach), scale.shown(reach)
    return [Tick(_top(scale.value_of(step), reach), scale.text(step)) for step in steps if low <= step <= high]


def _seen(point: Bounds) -> float:
    """How far from zero the end of the story lies."""
    values = (abs(value) for value in (point.low, point.high, point.estimate) if value is not None)
    return max((value for value in values if math.isfinite(value)), default=0.0)


def _corner(across: float, value: float, reach: float) -> str:
    # far outside is far enough: infinity has no place in a path
    down = BOX_HEIGHT / 2 * (1 - min(max(value / reach, -3.0), 3.0))
    return f"{across:.1f},{down:.1f}"


def _seen_at(value: float | None, reach: float) -> float | None:
    """As `_top`; None for what is cut off."""
    return None if value is None or abs(value) > reach else _top(value, reach)


def _top(value: float, reach: float) -> float:
    return round(50 * (1 - value / reach), 2)


def _ends(times: Sequence[datetime]) -> list[Tick]:
    """The first and the last moment."""
    if len(times) < 2:
        return [Tick(50.0, _moment(times[0], hours=True))] if times else []
    hours = (times[-1] - times[0]).days < 3
    return [Tick(0.0, _moment(times[0], hours=hours), "start"), Tick(100.0, _moment(times[-1], hours=hours), "end")]


def _moment(time: datetime, *, hours: bool) -> str:
    day = f"{time.day}\N{NO-BREAK SPACE}{time:%b}"
    return f"{day}, {time:%H:%M}" if hours else day
