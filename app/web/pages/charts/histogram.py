"""The shares of two groups by bucket on an axis of logarithms, as inline SVG."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.web.pages.charts.paths import BOX_HEIGHT, BOX_WIDTH, percent_down
from app.web.pages.charts.scales import Tick, value_steps

_ROUND = (1, 2, 5)
_FEWEST_TICKS, _MOST_TICKS = 2, 7
_EDGE_PERCENT = 5
_ROOM_PERCENT = 16
"""So wide is a label on a phone."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Outlines of the groups in a box of BOX_WIDTH by BOX_HEIGHT, the first one's first; `areas`: what lies below.

    `data` is for the script, with the last group as the first line.
    """

    outlines: list[str]
    areas: list[str]
    value_ticks: list[Tick]
    edge_ticks: list[Tick]
    data: dict[str, Any]


def build_histogram(
    edges: Sequence[float],
    groups: Sequence[Sequence[float]],
    edge_text: Callable[[float], str],
    share_text: Callable[[float], str],
) -> Histogram:
    """Of shares between edges that grow by an equal factor: so the bars are equally wide."""
    steps = value_steps([share for group in groups for share in group], from_zero=True)
    outlines = [_outline(group, steps[-1]) for group in groups]
    return Histogram(
        outlines=outlines,
        areas=[f"{outline}V{BOX_HEIGHT}H0Z" for outline in outlines],
        value_ticks=[Tick(round(100 * step / steps[-1], 2), share_text(step)) for step in steps],
        edge_ticks=_edge_ticks(edges, edge_text),
        data={
            "bars": True,
            "downs": [[percent_down(share, 0, steps[-1]) for share in group] for group in reversed(groups)],
        },
    )


def _outline(shares: Sequence[float], highest: float) -> str:
    """Steps from the left to the right."""
    width = BOX_WIDTH / max(1, len(shares))
    downs = [BOX_HEIGHT * (1 - share / highest) for share in shares]
    return f"M0,{BOX_HEIGHT}" + "".join(f"V{down:.1f}H{width * number:.1f}" for number, down in enumerate(downs, 1))


def _edge_ticks(edges: Sequence[float], text: Callable[[float], str]) -> list[Tick]:
    """Labels at round numbers: powers of ten and as many of their doubles and halves as there is room for."""
    low, high = math.log(edges[0]), math.log(edges[-1])
    powers = range(math.floor(math.log10(edges[0])), math.ceil(math.log10(edges[-1])) + 1)
    for factors in (_ROUND, (1, 3), (1,)):
        numbers = [factor * 10.0**power for power in powers for factor in factors]
        inside = [number for number in numbers if edges[0] <= number <= edges[-1]]
        if len(inside) <= _MOST_TICKS:
            break
    else:
        inside = inside[:: -(-len(inside) // _MOST_TICKS)]
    if len(inside) < _FEWEST_TICKS:
        inside = [edges[0], edges[-1]]
    ticks: list[Tick] = []
    for number in inside:
        percent = 100 * (math.log(number) - low) / (high - low)
        if not ticks or percent - ticks[-1].percent >= _ROOM_PERCENT:
            ticks.append(_edge_tick(percent, text(number)))
    return ticks


def _edge_tick(percent: float, label: str) -> Tick:
    if percent < _EDGE_PERCENT:
        return Tick(round(percent, 2), label, "start")
    return Tick(round(percent, 2), label, "end" if percent > 100 - _EDGE_PERCENT else "middle")
