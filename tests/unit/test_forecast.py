"""How many more events are told to be needed, against what it took in lives that were drawn."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from app.core.analytics.confidence import Interval, multiplier
from app.core.analytics.decision import FEWEST_EVENTS, Finding, decide
from app.core.analytics.forecast import STEPS, growth_needed

ALPHA = 0.0125
MARGIN = 0.05
SIGMA = 1.6
"""Of a difference of two means, per root of the events: latencies with 0.8 of their logarithms."""


def a_finding(estimate: float, events: float) -> Finding:
    reach = multiplier(events, ALPHA) * SIGMA / math.sqrt(events)
    interval = Interval(estimate, estimate - reach, estimate + reach, events)
    return Finding(interval, (int(events / 2), int(events / 2)), MARGIN, lower_is_better=True, is_ratio=True)


def lives(effects: Sequence[float], count: int) -> list[list[tuple[float, list[Finding]]]]:
    """Of so many comparisons, what is found after how many events, until something is decided."""
    generator = np.random.default_rng(3)
    events = 500 * 1.04 ** np.arange(150)
    found = []
    for _ in range(count):
        steps = generator.normal(size=(len(events), len(effects))) * np.sqrt(np.diff(events, prepend=0))[:, None]
        estimates = np.array(effects) + SIGMA * steps.cumsum(axis=0) / events[:, None]
        life = []
        for each, after in zip(estimates, events.tolist(), strict=True):
            life.append((after, [a_finding(float(estimate), after) for estimate in each]))
            if decide(life[-1][1]) != "undecided":
                found.append(life)
                break
    return found


@pytest.mark.parametrize("effects", [(0.0, 0.0, 0.0), (-0.1, 0.0, 0.0)])
def test_most_waits_are_within_a_factor_of_two(effects: tuple[float, ...]):
    waits = []
    for life in lives(effects, 50):
        end = life[-1][0]
        for share in (0.3, 0.5):
            after, findings = next(each for each in life if each[0] >= share * end)
            growth = growth_needed(findings, ALPHA)
            waits.append(math.inf if growth is None else (growth - 1) * after / (end - after))
    assert len(waits) > 90
    assert np.mean([0.5 <= each <= 2 for each in waits]) >= 0.75


def test_what_is_clear_already_waits_for_the_fewest_events():
    growth = growth_needed([a_finding(-0.9, FEWEST_EVENTS / 2)], ALPHA)
    assert growth == pytest.approx(4, rel=0.05)


def test_the_nearer_the_sooner():
    near, far = (growth_needed([a_finding(0.0, events)], ALPHA) for events in (10_000, 1_000))
    assert near is not None
    assert far is not None
    assert far > 3 * near


def test_it_is_told_the_same_again():
    assert growth_needed([a_finding(0.01, 4_000)], ALPHA) == growth_needed([a_finding(0.01, 4_000)], ALPHA)


def test_each_measure_puts_it_off():
    alone = growth_needed([a_finding(0.0, 4_000)], ALPHA)
    together = growth_needed([a_finding(0.0, 4_000)] * 4, ALPHA)
    assert alone is not None
    assert together is not None
    assert together > alone


@pytest.mark.parametrize(
    "finding",
    [
        Finding(None, (500, 500), MARGIN, lower_is_better=True, is_ratio=True),
        Finding(Interval(0.0, -math.inf, math.inf, 500), (500, 500), MARGIN, lower_is_better=True, is_ratio=True),
    ],
)
def test_where_a_measure_tells_nothing_yet_nothing_is_told(finding: Finding):
    assert growth_needed([finding], ALPHA) is None


def test_without_measures_nothing_is_told():
    assert growth_needed([], ALPHA) is None


def test_a_direction_without_a_ratio_is_no_obstacle():
    free = Interval(-math.inf, -math.inf, -math.inf, 4_000)
    findings = [Finding(free, (2_000, 2_000), MARGIN, lower_is_better=True, is_ratio=True), a_finding(0.0, 4_000)]
    growth = growth_needed(findings, ALPHA)
    assert growth is not None
    assert growth < STEPS[-1]
