"""The axes of charts: round numbers, and times that people name."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

MAX_TIME_LABELS = 6
VALUE_STEPS = 3
_TIME_STEPS = tuple(
    timedelta(minutes=minutes)
    for minutes in (1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 10_080, 20_160, 43_200, 86_400, 172_800)
)
_MINUTE_MS, _HOUR_MS = 60_000.0, 3_600_000.0
_EDGE_PERCENT = 4
_ROUNDING = 1e-9
_SMALLEST = 1e-15


class Tick(NamedTuple):
    """A label at a position in per cent, from the left or from the bottom; `anchor` as in SVG."""

    percent: float
    label: str
    anchor: Literal["start", "middle", "end"] = "middle"


def value_steps(
    values: Sequence[float], *, from_zero: bool, is_time: bool = False, is_count: bool = False
) -> list[float]:
    """Evenly spaced round numbers, of which the first is not above and the last not below any value.

    `from_zero`: 0 is among them. `is_time`: values are in milliseconds, so that minutes and hours are round, too.
    `is_count`: there are no halves.
    """
    low, high = min(values, default=0.0), max(values, default=0.0)
    if from_zero:
        low, high = min(0.0, low), max(0.0, high)
    largest = max(abs(low), abs(high))
    if largest < _SMALLEST:
        low, high = 0.0, 1.0
    elif high - low < largest * _ROUNDING:
        low, high = low - largest / 10, high + largest / 10
    unit = 1.0
    if is_time and high >= _MINUTE_MS:
        unit = _HOUR_MS if high >= _HOUR_MS else _MINUTE_MS
    step = unit * round_step((high - low) / unit / VALUE_STEPS)
    if is_count:
        step = math.ceil(step)
    first, last = math.floor(low / step + _ROUNDING), math.ceil(high / step - _ROUNDING)
    return [number * step for number in range(first, last + 1)]


def round_step(at_least: float) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below."""
    power = 10.0 ** math.floor(math.log10(at_least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= at_least * (1 - _ROUNDING))


def time_ticks(starts: Sequence[datetime]) -> list[Tick]:
    """At most MAX_TIME_LABELS labels at round times: midnights by their date, others by the clock, in UTC."""
    length = starts[-1] - starts[0]
    step = next((each for each in _TIME_STEPS if length / each < MAX_TIME_LABELS), _TIME_STEPS[-1])
    seconds = step // timedelta(seconds=1)
    return [
        _tick(start, 100 * place / max(1, len(starts) - 1))
        for place, start in enumerate(starts)
        if int(start.timestamp()) % seconds == 0
    ]


def _tick(start: datetime, percent: float) -> Tick:
    is_midnight = start.hour == start.minute == 0
    label = f"{start.day}\N{NO-BREAK SPACE}{start:%b}" if is_midnight else f"{start:%H:%M}"
    if percent < _EDGE_PERCENT:
        return Tick(round(percent, 2), label, "start")
    return Tick(round(percent, 2), label, "end" if percent > 100 - _EDGE_PERCENT else "middle")
