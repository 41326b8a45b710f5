"""One simulated life of a comparison: what the product says at each look."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.core.analytics.arrays import Integers
from app.core.analytics.comparison import DEFAULT_MARGINS, Findings, alpha_of_claim, find
from app.core.analytics.decision import FEWEST_EVENTS
from app.core.analytics.evidence import HOUR_SECONDS, Evidence
from truth.events import START_SECONDS, World, draw, switched
from truth.looks import before_after, side_by_side
from truth.screen import Truth, may_exclude
from truth.screen_days import may_exclude_by_days

LOOKS = 1_000
PROVED_LOOKS = 0.01
"""So many of the looks that the screen would leave out are asked all the same: it must not have missed one."""


class ScreenMissedOneError(Exception):
    """The product said something at a look where the screen had ruled it out: no share of this run means anything."""


class Life(NamedTuple):
    """Two versions, when they are looked at, and what is asked then."""

    looks: Integers
    may_exclude: npt.NDArray[np.bool_]
    evidence: Callable[[int], Evidence]


def truth_of(world: World) -> Truth:
    """The tail moves as the latencies do: hours are slower for both versions by the same share."""
    effect = world.effect
    return {
        "cost_usd": effect.cost_usd,
        "latency_ms": effect.latency_ms,
        "latency_p95_ms": effect.latency_ms,
        "score": effect.score,
    }


def pace(rng: np.random.Generator) -> int:
    """In how many hours it all happens: from half a day to six weeks."""
    return round(float(np.exp(rng.uniform(np.log(12), np.log(1_000)))))


def lives_side_by_side(world: World, rng: np.random.Generator, *, events: int, alpha: float) -> Iterator[Life]:
    """Of each candidate beside the baseline, at LOOKS looks from FEWEST_EVENTS of each version on."""
    everything = draw(world, rng, events=events, hours=pace(rng))
    for candidate in range(1, len(world.shares)):
        pair = everything.of(0, candidate)
        counts = [(pair.version == each).cumsum() for each in (0, 1)]
        first = int(np.searchsorted(np.minimum(*counts), FEWEST_EVENTS)) + 1
        if first >= len(pair.seconds):
            continue
        looks = np.unique(np.geomspace(first, len(pair.seconds), LOOKS).astype(np.intp))
        yield Life(looks, may_exclude(pair, looks, truth_of(world), alpha), partial(side_by_side, pair))


def life_before_after(world: World, rng: np.random.Generator, *, events: int, hours: int, alpha: float) -> Life:
    """A change that changes nothing, in the middle of so many hours, rounded up to weeks.

    It falls on any hour of the day and, by `World.weekend`, on any day of the week, and the end of each hour after it
    is a look.
    """
    half = -(-hours // 336) * 168
    change = START_SECONDS + HOUR_SECONDS * (half + int(rng.integers(24)))
    pair = switched(draw(world, rng, events=events, hours=2 * half + 24), change)
    ends = np.arange(change + 2 * HOUR_SECONDS, change + half * HOUR_SECONDS + 1, HOUR_SECONDS)
    looks = np.unique(np.searchsorted(pair.seconds, ends))
    looks = looks[looks > np.searchsorted(pair.seconds, change + HOUR_SECONDS)]
    possible = may_exclude_by_days(pair, looks, truth_of(world), alpha, change)
    return Life(looks, possible, partial(before_after, pair, switch_seconds=change))


def said(life: Life, alpha: float, rng: np.random.Generator, truth: Truth) -> Iterator[tuple[int, Findings]]:
    """The looks at which some interval leaves the truth out, with what is found there.

    Raises ScreenMissedOneError.
    """
    asked = life.may_exclude | (rng.random(len(life.looks)) < PROVED_LOOKS)
    for look, was_possible in zip(life.looks[asked], life.may_exclude[asked], strict=True):
        findings = find(life.evidence(int(look)), DEFAULT_MARGINS, alpha)
        if leaves_out(findings, truth):
            if not was_possible:
                raise ScreenMissedOneError(f"at a look after {look} events")
            yield int(look), findings


def leaves_out(findings: Findings, truth: Truth) -> bool:
    """Whether an interval that is shown does not hold the truth."""
    return any(
        found.interval is not None
        and found.verdict != "too_few"
        and not found.interval.low <= truth[measure] <= found.interval.high
        for measure, found in findings.items()
    )


def alpha_for(world: World) -> float:
    return alpha_of_claim(len(world.shares) - 1)
