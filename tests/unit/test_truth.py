"""`make truth` in seconds: the same claims with fewer runs, and that they would break if the statistics were others.

Seeds are fixed. With so few runs a share may be above its bound by chance, so bounds are those that a share which is
true to its claim keeps in 999 of 1,000 cases.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.stats import binom

from app.core.analytics import confidence, strata
from app.core.analytics.comparison import ALPHA, DEFAULT_MARGINS, find
from app.core.analytics.evidence import HOUR_SECONDS, Arm, Measure, arm
from app.core.rollups.latency_histogram import encode_histogram
from tests.version_cells import Cell, version_cells
from truth import screen
from truth.events import Effect, Events, World, draw
from truth.experiments import (
    CALM,
    LONGEST_WAIT,
    POWER,
    SLOWER,
    ever_shipped,
    ever_wrong,
    ever_wrong_apart,
    found_after,
    waits,
)
from truth.looks import side_by_side
from truth.runs import Life, ScreenMissedOneError, leaves_out, life_before_after, lives_side_by_side, said, truth_of

WEAK_ALPHA = 0.4
"""So that something is claimed often."""


def count(run: Callable[[np.random.Generator], bool], runs: int) -> int:
    return sum(run(np.random.default_rng([11, number])) for number in range(runs))


def most(runs: int, share: float = ALPHA) -> int:
    return int(binom.ppf(0.999, runs, share))


@pytest.mark.parametrize(
    "world",
    [
        World(),
        World(shares=(0.9, 0.1), phi=0.3),
        World(shares=(0.4, 0.3, 0.3), final_shares=(0.1, 0.1, 0.8), bunch=2.0, cost_sigma=0.5),
    ],
)
def test_equal_versions_are_hardly_ever_called_different(world: World):
    assert count(partial(ever_wrong, world), 25) <= most(25)


def test_a_change_that_changes_nothing_is_hardly_ever_called_one():
    world = replace(CALM, day_shock=0.05, weekend=-0.2)
    assert count(partial(ever_wrong_apart, world), 6) <= most(6)


def test_all_intervals_hold_the_truth_at_all_looks():
    world = World(effect=Effect(math.log(1.1), math.log(0.95), 0.02))
    assert count(partial(ever_wrong, world), 30) <= most(30)


def test_what_is_worse_by_more_than_its_margin_is_not_shipped():
    world = World(effect=Effect(math.log(1.06), math.log(0.9)))
    assert count(partial(ever_shipped, world), 30) <= most(30)


def test_what_is_there_is_found_soon():
    world = World(effect=Effect(latency_ms=math.log(1.1)))
    found = [found_after(world, "latency_ms", np.random.default_rng([12, number])) for number in range(40)]
    assert sum(each > SLOWER for each in found) <= most(40, 1 - POWER)


def test_a_wait_that_is_told_is_of_the_right_order():
    told = [waits(World(), LONGEST_WAIT, np.random.default_rng([13, number])) for number in range(3)]
    assert 1 / 3 < np.median([each for run in told for each in run]) < 3


def test_intervals_for_a_single_look_would_not_pass(monkeypatch: pytest.MonkeyPatch):
    """Welch's, at 95 % for each measure, at every look."""
    for module in (strata, confidence, screen):
        monkeypatch.setattr(module, "multiplier", lambda _events, _alpha: 1.96)
    monkeypatch.setattr(strata, "_reach", lambda variance, _scatter, normal, **_: (normal * math.sqrt(variance), None))
    assert count(partial(ever_wrong, World()), 20) > most(20)


def test_intervals_that_see_no_blocks_would_not_pass(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(strata, "_reach", lambda variance, _scatter, normal, **_: (normal * math.sqrt(variance), None))
    assert count(partial(ever_wrong, World(phi=0.5)), 20) > most(20)


@pytest.mark.parametrize("world", [World(), World(shares=(0.9, 0.1), phi=0.5), World(rhythm=0.0, drift=0.0)])
def test_the_screen_misses_nothing_side_by_side(world: World):
    lives = [
        life
        for seed in range(4)
        for life in lives_side_by_side(world, np.random.default_rng(seed), events=6_000, alpha=WEAK_ALPHA)
    ]
    assert_nothing_is_missed(lives, world)


def test_the_screen_misses_nothing_before_and_after():
    world = replace(CALM, day_shock=0.05)
    generators = [np.random.default_rng(seed) for seed in range(4)]
    lives = [life_before_after(world, each, events=6_000, hours=600, alpha=WEAK_ALPHA) for each in generators]
    assert_nothing_is_missed(lives, world)


def assert_nothing_is_missed(lives: list[Life], world: World) -> None:
    asked = [(life, place) for life in lives for place in range(0, len(life.looks), 12)]
    said_there = [
        leaves_out(find(life.evidence(int(life.looks[place])), DEFAULT_MARGINS, WEAK_ALPHA), truth_of(world))
        for life, place in asked
    ]
    assert any(said_there)
    assert not all(life.may_exclude[place] for life, place in asked)
    assert [
        place for (life, place), is_said in zip(asked, said_there, strict=True) if is_said > life.may_exclude[place]
    ] == []


def test_a_screen_that_missed_something_is_noticed():
    world = World(effect=Effect(score=0.3))
    (life,) = lives_side_by_side(world, np.random.default_rng(1), events=6_000, alpha=ALPHA)
    blind = life._replace(may_exclude=np.zeros(len(life.looks), np.bool_))
    with pytest.raises(ScreenMissedOneError):
        list(said(blind, ALPHA, np.random.default_rng(1), truth_of(World())))


def test_it_looks_at_what_is_read_from_the_rollups():
    events = draw(World(), np.random.default_rng(1), events=2_000, hours=30)
    evidence = side_by_side(events, 1_500)
    assert evidence.fine is not None
    for version in (0, 1):
        assert_same(evidence.arms[version], read(events, 1_500, version, HOUR_SECONDS))
        assert_same(evidence.fine[version], read(events, 1_500, version, 60))


def read(events: Events, seen: int, version: int, length: int) -> Arm:
    """The events of a version put together piece by piece, as rollups are."""
    starts = events.seconds[:seen] // length * length
    cells = []
    for start in np.unique(starts[events.version[:seen] == version]).tolist():
        chosen = np.flatnonzero((starts == start) & (events.version[:seen] == version))
        numbers: dict[str, float] = {}
        columns: tuple[tuple[Measure, str], ...] = (
            ("cost_usd", "cost"),
            ("latency_ms", "latency_log"),
            ("score", "score"),
        )
        for measure, name in columns:
            values = events.values[measure][chosen]
            numbers |= {f"{name}_mean": values.mean(), f"{name}_deviation": len(values) * values.var()}
        cell = Cell(
            start_seconds=start,
            events=len(chosen),
            cost_count=len(chosen),
            latency_count=len(chosen),
            score_count=len(chosen),
            **numbers,
        )
        buckets = dict(
            zip(*(each.tolist() for each in np.unique(events.bucket[chosen], return_counts=True)), strict=True)
        )
        cells.append((cell, encode_histogram(buckets)))
    return arm(version_cells(cells))


def assert_same(one: Arm, other: Arm) -> None:
    assert one.seconds.tolist() == other.seconds.tolist()
    assert one.events.tolist() == other.events.tolist()
    for measure, values in one.values.items():
        for name in ("count", "mean", "deviation"):
            assert getattr(values, name) == pytest.approx(getattr(other.values[measure], name))
    if len(one.histograms.owner):
        assert counts(one) == counts(other)


def counts(of: Arm) -> dict[tuple[int, int], float]:
    found = zip(of.histograms.owner.tolist(), of.histograms.bucket.tolist(), of.histograms.count.tolist(), strict=True)
    return {(owner, bucket): count for owner, bucket, count in found if count}
