"""Lines of charts as SVG paths, in a box of BOX_WIDTH by BOX_HEIGHT that is stretched to its place."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

BOX_WIDTH, BOX_HEIGHT = 1_000, 200

_Point = tuple[float, float]


class Paths(NamedTuple):
    """A line, each part of which may be empty. `dashed`: what leads to or from a bucket that is not whole."""

    solid: str
    dashed: str
    area: str


def line_paths(values: Sequence[float | None], whole: Sequence[bool], low: float, high: float) -> Paths:
    """The line of some values, from `low` at the bottom to `high` at the top. None leaves a gap.

    A value with gaps on both sides is a dot: a line without length, of which the round ends are seen.
    """
    solid: list[str] = []
    dashed: list[str] = []
    area = []
    points = [None if value is None else _point(at, len(values), value, low, high) for at, value in enumerate(values)]
    for known, run in groupby(range(len(points)), lambda at: points[at] is not None):
        places = list(run)
        if not known:
            continue
        corners = [point for at in places if (point := points[at]) is not None]
        area.append(f"{_path(corners)}V{BOX_HEIGHT}H{corners[0][0]:g}Z")
        if len(corners) == 1:
            solid.append(_path(corners))
        for is_whole, pieces in groupby(places[:-1], lambda at: whole[at] and whole[at + 1]):
            piece = list(pieces)
            (solid if is_whole else dashed).append(_path(corners[piece[0] - places[0] : piece[-1] - places[0] + 2]))
    return Paths("".join(solid), "".join(dashed), "".join(area))


def sparkline(values: Sequence[float], whole: Sequence[bool]) -> Paths:
    """A small line without axes, from 0 to the largest value."""
    return line_paths(values, whole, 0, max(values, default=0) or 1)


def percent_down(value: float | None, low: float, high: float) -> float | None:
    """Where a value lies below the upper edge of the box."""
    return None if value is None else round(100 * (high - value) / (high - low), 2)


def _point(at: int, count: int, value: float, low: float, high: float) -> _Point:
    across = BOX_WIDTH * at / (count - 1) if count > 1 else BOX_WIDTH / 2
    return round(across, 1), round(BOX_HEIGHT * (high - value) / (high - low), 1)


def _path(points: Sequence[_Point]) -> str:
    first, *others = (f"{across:g},{down:g}" for across, down in points)
    return f"M{first}" + ("L" + " ".join(others) if others else "h0")
