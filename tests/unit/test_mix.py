"""A range against the same hours before: what has colour, and what a shift of the mix does."""

from datetime import timedelta

import numpy as np
import pytest

from app.core.analytics.mix import Contrasts, Side, contrasts
from app.core.analytics.prompt_days import DAYS_OF_A_WEEK, Daily, Measure
from truth.day_histories import History, World, history

WEEKS = 5
LAST = WEEKS * DAYS_OF_A_WEEK
ALPHA = 0.05


def side_of(daily: Daily, days: list[int], *, many_of_last: float = 1) -> Side:
    """The days together; `many_of_last`: how many times the last prompt's events were used."""
    count = daily.count[:, days].copy()
    count[-1] *= many_of_last
    total = count.sum(axis=1)
    mean = (count * daily.mean[:, days]).sum(axis=1) / total
    between = (count * (daily.mean[:, days] - mean[:, None]) ** 2).sum(axis=1)
    return Side(total, mean, daily.deviation[:, days].sum(axis=1) + between)


def last_day(drawn: History, measure: Measure, **many: float) -> Contrasts:
    """Against the same weekday of the weeks before."""
    daily = drawn.measures[measure]
    usual = slice(LAST - 4 * DAYS_OF_A_WEEK - 1, LAST - 1)
    return contrasts(
        side_of(daily, [LAST - 1 - DAYS_OF_A_WEEK * week for week in (1, 2, 3, 4)]),
        side_of(daily, [LAST - 1], **many),
        Daily(daily.count[:, usual], daily.mean[:, usual], daily.deviation[:, usual]),
        length=timedelta(days=1),
        windows=4,
        alphas=(ALPHA / 3 / len(daily.count), ALPHA / 4),
        is_ratio=measure == "cost_usd",
    )


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_of_a_hundred_unchanged_days_at_most_five_have_any_colour(kept: float):
    random = np.random.default_rng(3)
    coloured = np.zeros(2)
    for _ in range(200):
        drawn = history(random, World(150, shock=0.05, kept=kept), prompts=4, days=LAST)
        found = [last_day(drawn, measure) for measure in ("cost_usd", "latency_ms", "score")]
        clear = np.array([np.abs(each.estimate) > each.reach for each in found])
        coloured += clear[:, -1].any(), clear[:, :-1].any()
    assert (coloured / 200 <= ALPHA).all()


@pytest.mark.parametrize("measure", ["cost_usd", "latency_ms", "score"])
def test_what_really_changed_is_clear_and_as_large_as_it_is(measure: Measure):
    world = World(1_000, shock=0.01, step=0.4, from_day=LAST - 1)
    found = last_day(history(np.random.default_rng(5), world, prompts=3, days=LAST), measure)
    assert abs(found.estimate[-1]) > found.reach[-1]
    if measure != "score":
        assert found.estimate == pytest.approx(np.full(4, 0.4), abs=0.12)


def test_another_mix_changes_nothing():
    drawn = history(np.random.default_rng(6), World(500), prompts=3, days=LAST)
    for daily in drawn.measures.values():
        daily.mean[-1] *= 10
        daily.deviation[-1] *= 100
    same, other = (last_day(drawn, "cost_usd", many_of_last=many) for many in (1, 20))
    assert other.estimate[:-1] == pytest.approx(same.estimate[:-1])
    assert abs(other.estimate[-1]) < 0.2
    assert (np.abs(other.estimate) <= other.reach).all()


def test_a_prompt_without_a_past_is_compared_with_nothing():
    drawn = history(np.random.default_rng(6), World(500), prompts=2, days=LAST)
    cost = drawn.measures["cost_usd"]
    cost.count[0, : LAST - 1] = 0
    cost.deviation[0, : LAST - 1] = 0
    cost.mean[0, : LAST - 1] = 0
    cost.count[0, LAST - 8] = 1
    found = last_day(drawn, "cost_usd")
    assert np.isinf(found.reach[0])
    assert np.isfinite(found.reach[1])
