"""Moments that charts over time name: the first events of versions."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

LONGEST_LABEL = 14
MAX_MARKERS = 12
"""So many, the latest, are named: more would hide the lines."""
_ROOM_PERCENT = 30.0
"""So wide is a label on a phone, and in one of two charts side by side."""


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment at a position in per cent from the left, where its bucket begins at `start`; `anchor` as in SVG.

    `label` is empty where there is no room for it, and `name` the whole of it.
    """

    percent: float
    label: str
    name: str
    time: datetime
    start: datetime
    anchor: Literal["start", "end"]


def build_markers(starts: Sequence[datetime], step: timedelta, moments: Sequence[tuple[str, datetime]]) -> list[Marker]:
    """Of those moments that lie within the buckets that begin at `starts`, the first one first."""
    if len(starts) < 2:
        return []
    length = starts[-1] - starts[0]
    inside = sorted(
        ((time, name) for name, time in moments if starts[0] < time < starts[-1] + step), key=lambda each: each[0]
    )
    found: list[Marker] = []
    free_from = 0.0
    for time, name in inside[-MAX_MARKERS:]:
        start = starts[bisect_right(starts, time) - 1]
        percent = round(100 * ((start - starts[0]) / length), 2)
        is_late = percent > 100 - _ROOM_PERCENT
        has_room = percent - (_ROOM_PERCENT if is_late else 0) >= free_from
        if has_room:
            free_from = percent + (0 if is_late else _ROOM_PERCENT)
        label = name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"
        found.append(Marker(percent, label if has_room else "", name, time, start, "end" if is_late else "start"))
    return found
