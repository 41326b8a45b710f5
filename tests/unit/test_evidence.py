from dataclasses import replace

import numpy as np
import pytest

from app.core.analytics.comparison import DEFAULT_MARGINS, find
from app.core.analytics.evidence import DAY_SECONDS, HOUR_SECONDS, WEEK_SECONDS, Arm, Evidence, arm
from app.core.queries.version_cells import VersionCells
from tests.version_cells import Cell, cell_of, version_cells

START = 1_773_100_800
"""An hour that begins a day, in seconds since the epoch."""


def a_cell(start_seconds: int, *, count: int = 10, latency_ms: float = 100) -> tuple[Cell, bytes | None]:
    made, histogram = cell_of(start_seconds, np.full(count, latency_ms))
    return replace(made, events=count + 1, cost_count=count, cost_mean=0.5, cost_deviation=1.5), histogram


def damaged(cell: tuple[Cell, bytes | None]) -> tuple[Cell, bytes | None]:
    return cell[0], None


def arm_of(*cells: tuple[Cell, bytes | None]) -> Arm:
    return arm(version_cells(cells))


def hours(*numbers: int, count: int = 10) -> Arm:
    return arm_of(*(a_cell(START + number * HOUR_SECONDS, count=count) for number in numbers))


def side_by_side(old: Arm, new: Arm, fine: tuple[Arm, Arm] | None = None) -> Evidence:
    return Evidence("side_by_side", (old, new), (START, START), fine)


def test_an_arm_has_its_cells_in_order_with_their_histograms():
    cells = [a_cell(START + HOUR_SECONDS, count=3, latency_ms=200), a_cell(START, count=5), a_cell(START + 9_999 * 60)]
    made = arm_of(*cells)
    assert made.seconds.tolist() == [START, START + HOUR_SECONDS, START + 9_999 * 60]
    assert made.events.tolist() == [6, 4, 11]
    assert made.values["cost_usd"].count.tolist() == [5, 3, 10]
    assert made.values["latency_ms"].mean[1] == pytest.approx(np.log(200))
    assert np.bincount(made.histograms.owner, made.histograms.count).tolist() == [5, 3, 10]


@pytest.mark.parametrize("cells", [None, version_cells([])])
def test_an_arm_of_nothing_is_empty(cells: VersionCells | None):
    made = arm(cells)
    assert (len(made.seconds), len(made.histograms.owner)) == (0, 0)
    assert all(len(values.mean) == 0 for values in made.values.values())


def test_some_cells_of_an_arm_keep_their_own_histograms():
    made = arm_of(*(a_cell(START + hour * HOUR_SECONDS, count=hour + 1) for hour in range(5)))
    kept = made.only(np.array([False, True, False, True, True]))
    assert kept.values["cost_usd"].count.tolist() == [2, 4, 5]
    assert np.bincount(kept.histograms.owner, kept.histograms.count).tolist() == [2, 4, 5]
    assert made.between(START + HOUR_SECONDS, START + 3 * HOUR_SECONDS).events.tolist() == [3, 4]


def test_a_damaged_histogram_takes_nothing_else_away():
    made = arm_of(damaged(a_cell(START)), a_cell(START + HOUR_SECONDS))
    assert made.values["latency_ms"].count.tolist() == [10, 10]
    assert set(made.histograms.owner.tolist()) == {1}


def test_side_by_side_each_hour_is_a_stratum():
    pair = side_by_side(hours(0, 1, 5), hours(1, 5, 6)).pair("cost_usd")
    assert pair.baseline.stratum.tolist() == [0, 1, 5]
    assert pair.candidate.stratum.tolist() == [1, 5, 6]
    assert pair.strata == 7


def test_minutes_belong_to_the_strata_of_their_hours():
    minutes = tuple(
        arm_of(*(a_cell(START + offset + 60 * minute, count=1) for minute in range(90))) for offset in (0, HOUR_SECONDS)
    )
    pair = side_by_side(hours(0, 1), hours(1, 2), (minutes[0], minutes[1])).pair("latency_ms")
    assert pair.baseline.stratum.tolist() == [0] * 60 + [1] * 30
    assert pair.candidate.stratum.tolist() == [1] * 60 + [2] * 30
    assert pair.strata == 3


def test_blocks_are_long_enough_for_bunches_of_events_and_not_too_many():
    for count, length in ((4, 3), (100, 1), (1, 12)):
        pair = side_by_side(hours(*range(120), count=count), hours(*range(120), count=10_000)).pair("cost_usd")
        assert np.bincount(pair.baseline.block).max() == length
    months = side_by_side(hours(*range(2_000), count=1_000), hours(*range(2_000), count=1_000)).pair("cost_usd")
    assert months.blocks == -(-2_000 // 6)


@pytest.mark.parametrize(("days", "period"), [(7, DAY_SECONDS), (14, WEEK_SECONDS)])
def test_before_and_after_hours_of_the_day_or_week_are_strata_and_days_are_blocks(days: int, period: int):
    before = hours(*range(-24 * days, 0))
    after = hours(*range(1, 24 * days))
    phases = START - days * DAY_SECONDS, START + HOUR_SECONDS
    pair = Evidence("before_after", (before, after), phases).pair("cost_usd")
    assert pair.strata == period // HOUR_SECONDS
    assert pair.candidate.stratum[0] == (START + HOUR_SECONDS) % period // HOUR_SECONDS
    assert pair.blocks == days
    assert np.bincount(pair.baseline.block).tolist() == [24] * days
    # each begins its days with its own time
    assert np.bincount(pair.candidate.block).tolist() == [24] * (days - 1) + [23]


def test_earlier_only_what_had_come_was_known():
    both = side_by_side(hours(0, 1, 2), hours(0, 1, 2)).until(START + 2 * HOUR_SECONDS)
    assert [len(each.seconds) for each in both.arms] == [2, 2]
    apart = Evidence("before_after", (hours(-2, -1), hours(1, 2, 3)), (START - DAY_SECONDS, START + HOUR_SECONDS))
    known = apart.until(START + 2 * HOUR_SECONDS)
    assert [len(each.seconds) for each in known.arms] == [2, 1]
    assert apart.grows == [False, True]


@pytest.mark.parametrize(("old", "new", "common"), [((0, 1), (1, 2), True), ((0, 1), (2, 3), False), ((), (1,), False)])
def test_whether_any_hours_are_common(old: tuple[int, ...], new: tuple[int, ...], *, common: bool):
    assert side_by_side(hours(*old), hours(*new)).have_common_hours is common


@pytest.mark.parametrize("old", [(), (0,)])
def test_an_arm_without_events_leaves_nothing_to_compare(old: tuple[int, ...]):
    evidence = side_by_side(hours(*old), hours())
    pair = evidence.pair("score")
    assert len(pair.candidate.count) == 0
    assert pair.strata >= 1
    assert [len(tail.stratum) for tail in evidence.tails()] == [len(old), 0]


def test_an_hour_whose_histogram_is_damaged_counts_for_neither_tail():
    slow = [a_cell(START, count=200, latency_ms=900), a_cell(START + HOUR_SECONDS, count=200, latency_ms=100)]
    evidence = side_by_side(arm_of(*slow), arm_of(damaged(slow[0]), slow[1]))
    found = find(evidence, DEFAULT_MARGINS, alpha=0.01)["latency_p95_ms"].interval
    assert found is not None
    assert found.estimate == pytest.approx(0)
