"""How many more events it takes until something can be decided.

To go on with the estimate as it is now tells a wait that is within a factor of two of the true one in half of the cases
at most: those who still wait are those whose estimate was unlucky so far. So the future is drawn many times. Given what
was seen, and nothing else, the estimate after g times the events is that of now plus se·B(1 - 1/g), B a Brownian
motion: the predictive distribution of a mean of normal values under a flat prior (Gelman and others, Bayesian Data
Analysis, 3rd edition, 2.5). What is told is when EARLY of these futures are decided.
"""

import math
from collections.abc import Sequence
from functools import cache

from app.core.analytics.arrays import Booleans, Floats, np
from app.core.analytics.confidence import Interval, standard_errors
from app.core.analytics.decision import FEWEST_EVENTS, Finding

FUTURES = 300
EARLY = 0.35
"""The share of futures that are decided sooner than told. Waits scatter upwards, by multiples, and who asks late has
waited for longer than most: both are why it is less than a half. Medians, the most likely wait, and priors as wide as
one or two margins were right less often (`make truth` has the figures)."""
GROWTH = 1.04
FURTHEST = 1_000
"""It looks no further than to so many times the events."""
STEPS = tuple(GROWTH**step for step in range(1, math.ceil(math.log(FURTHEST) / math.log(GROWTH))))


def growth_needed(findings: Sequence[Finding], alpha: float) -> float | None:
    """How many times the events of now it takes until something is decided.

    None where that is too far off to tell, or where nothing is known of some measure.
    """
    intervals = [finding.interval for finding in findings if finding.interval is not None]
    if not intervals or len(intervals) < len(findings):
        return None
    later = [_later(each, alpha) for each in intervals]
    shifts = np.array([_standard_error(each, alpha) for each in later])[:, None, None] * _futures(len(findings))
    lows, highs = (np.array([[[getattr(step, end) for step in each]] for each in later]) for end in ("low", "high"))
    decided = _are_decided(findings, lows + shifts, highs + shifts)
    decided &= min(min(finding.counts) for finding in findings) * np.array(STEPS) >= FEWEST_EVENTS
    steps = np.where(decided.any(axis=1), decided.argmax(axis=1), len(STEPS))
    step = int(np.sort(steps)[math.ceil(EARLY * FUTURES) - 1])
    return STEPS[step] if step < len(STEPS) else None


def _later(interval: Interval, alpha: float) -> list[Interval]:
    """What it would be at each step, if the estimate stayed."""
    return [interval.after(interval.events * growth, alpha) for growth in STEPS]


def _standard_error(later: Sequence[Interval], alpha: float) -> float:
    """Of the estimate of now, from the first step at which the interval has both ends; 0 where it never has.

    What was never seen moves no estimate: while all values stay equal, the estimate stays.
    """
    for growth, each in zip(STEPS, later, strict=True):
        if math.isfinite(each.low) and math.isfinite(each.high):
            errors = standard_errors(each.events, alpha, each.days)
            return (each.high - each.low) / 2 / errors * math.sqrt(growth * (1 - each.unseen))
    return 0.0


@cache
def _futures(measures: int) -> Floats:
    """B(1 - 1/g) by measures, futures and steps. The same at each call: a page that is loaded again says the same."""
    draws = np.random.default_rng(1).normal(size=(measures, FUTURES, len(STEPS)))
    return np.asarray((draws * np.sqrt(np.diff(1 - 1 / np.array(STEPS), prepend=0))).cumsum(axis=-1), np.float64)


def _are_decided(findings: Sequence[Finding], lows: Floats, highs: Floats) -> Booleans:
    """`decide` for all futures and steps at once, the first axis being the measures."""
    lower_is_better = np.array([finding.lower_is_better for finding in findings])[:, None, None]
    margins = np.array([finding.margin for finding in findings])[:, None, None]
    worst, best = np.where(lower_is_better, highs, -lows), np.where(lower_is_better, lows, -highs)
    harmless = (worst <= margins).all(axis=0)
    is_better, is_small = (worst < 0).any(axis=0), (best >= -margins).all(axis=0)
    is_worse = ((best > 0) & (worst > margins)).any(axis=0)
    return np.asarray(harmless & (is_better | is_small) | is_worse, np.bool_)
