"""Which prompts are said to have moved. What `make truth` shows at length is looked at in short here."""

import numpy as np
import pytest

from app.core.analytics.comparison import Margins, ProjectMargins
from app.core.analytics.moved import moved
from app.core.analytics.prompt_days import Daily, PromptDays
from truth.day_histories import World, history
from truth.moved import DAYS, DAYS_SINCE, MOST_FALSE, month_row, named_in_a_month, named_since, since_row

STEP = 0.3


def changed(*, step: float = STEP, since: int = 7, events: float = 1_000, prompts: int = 20) -> PromptDays:
    world = World(events, shock=0.02, step=step, from_day=DAYS - since)
    return history(np.random.default_rng(4), world, prompts=prompts, days=DAYS).between(0, DAYS)


@pytest.mark.parametrize("world", [World(60, shock=0.05, kept=0.3), World(60, shock=0.1, kept=0.5)])
def test_of_a_hundred_unchanged_prompt_months_at_most_one_is_named(world: World):
    rng = np.random.default_rng(7)
    named = np.concatenate([named_in_a_month(world, rng) for _ in range(40)])
    assert named.any(axis=1).mean() <= MOST_FALSE


def test_prompts_that_are_named_falsely_break_the_claim_and_changed_ones_are_told_by_days():
    named = np.zeros((1_000, 3), np.bool_)
    assert month_row("unchanged", [named]).holds
    named[:5, 0] = named[5:11, 1] = True
    row = month_row("unchanged", [named])
    assert row.holds is False
    assert row.measured.endswith("of 1,000 prompt-months; cost 0.5 %, p95 latency 0.6 %, score 0.0 %")
    since = np.zeros((len(DAYS_SINCE), 10, 3), np.bool_)
    since[1, :5, 0] = since[2] = True
    assert since_row("changed", [since, since]).measured == (
        "0 % after 3, 50 % after 5, 100 % after 7 days, of 20 prompts"
    )
    drawn = named_since(World(1_000, shock=0.02, step=STEP, from_day=DAYS), np.random.default_rng(7))
    assert drawn.any(axis=2).sum(axis=1).tolist()[0::2] == [0, 10]


def test_a_prompt_that_changed_a_week_ago_is_named_in_every_measure():
    found = moved(changed())
    assert {move.prompt_key for move in found} == set(range(1, 21))
    assert {(move.measure, move.is_worse) for move in found} == {
        ("cost_usd", True),
        ("latency_p95_ms", True),
        ("score", False),
    }
    for move in found:
        if move.measure != "score":
            assert move.estimate == pytest.approx(STEP, abs=0.1)
            assert move.after / move.before == pytest.approx(np.exp(STEP), rel=0.1)


def test_what_does_not_matter_is_not_named_however_sure():
    assert {move.measure for move in moved(changed(step=0.06, events=20_000, prompts=3))} == {"cost_usd"}
    assert moved(changed(step=0.06, events=20_000, prompts=3), ProjectMargins(Margins(cost_usd=0.1))) == []


def test_a_prompt_is_named_by_its_own_margins_where_it_has_some():
    wide = Margins(1, 1, 1, 1)
    (move,) = moved(changed(), ProjectMargins(wide, own=((2, Margins(0.1, 1, 1, 1)),)))
    assert (move.prompt_key, move.measure) == (2, "cost_usd")
    assert move.size == pytest.approx(move.estimate / np.log1p(0.1))


def test_one_odd_day_is_no_move():
    days = changed(step=0, prompts=5)
    cost = days.measures["cost_usd"]
    mean = cost.mean.copy()
    mean[:, -3] *= 5
    days.measures["cost_usd"] = Daily(cost.count, mean, cost.deviation)
    assert moved(days) == []


def test_quiet_weekends_are_no_move():
    days = changed(step=0, prompts=5)
    assert moved(days) == []


def test_few_events_and_few_days_tell_nothing():
    assert moved(changed(events=10)) == []
    assert moved(changed(events=0)) == []
    young = changed()
    for measure, daily in young.measures.items():
        young.measures[measure] = Daily(np.where(np.arange(DAYS) < 27, 0, daily.count), daily.mean, daily.deviation)
    assert [move for move in moved(young) if move.measure != "latency_p95_ms"] == []


def test_a_price_that_never_varied_may_change():
    days = changed(step=0, prompts=1)
    count = days.measures["cost_usd"].count
    price = np.where(np.arange(DAYS) < DAYS - 7, 0.01, 0.02) * np.ones_like(count)
    days.measures["cost_usd"] = Daily(count, price, np.zeros_like(count))
    (move,) = moved(days)
    assert move.measure == "cost_usd"
    assert (round(move.before, 6), round(move.after, 6)) == (0.01, 0.02)
