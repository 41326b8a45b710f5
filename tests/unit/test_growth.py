"""What more events would tell: what is foreseen is what is found when they have come."""

import math

import numpy as np
import pytest

from app.core.analytics.comparison import DEFAULT_MARGINS, Findings, find
from app.core.analytics.confidence import Interval
from app.core.analytics.decision import decide
from app.core.analytics.evidence import DAY_SECONDS, HOUR_SECONDS, Arm, Evidence, arm
from app.core.analytics.forecast import growth_needed
from tests.version_cells import Cell, cell_of, version_cells

START = 1_773_100_800
ALPHA = 0.0125


def a_cell(start_seconds: int, count: int, factor: float = 1.0) -> tuple[Cell, bytes]:
    return cell_of(start_seconds, 100 * factor * np.random.default_rng(start_seconds).lognormal(0, 0.5, count))


def hours(first: int, last: int, count: int) -> Arm:
    return arm(version_cells([a_cell(START + hour * HOUR_SECONDS, count) for hour in range(first, last)]))


def side_by_side(count: int) -> Findings:
    others = [a_cell(START + hour * HOUR_SECONDS + 7, count, 1.01) for hour in range(10)]
    arms = hours(0, 10, count), arm(version_cells(others))
    return find(Evidence("side_by_side", arms, (START, START)), DEFAULT_MARGINS, ALPHA)


def before_after(days: int, count: int) -> Findings:
    arms = hours(-24 * days, 0, count), hours(1, 24 * days + 1, count)
    phases = START - days * DAY_SECONDS, START + HOUR_SECONDS
    return find(Evidence("before_after", arms, phases), DEFAULT_MARGINS, ALPHA)


def widths(findings: Findings) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, finding in findings.items():
        assert finding.interval is not None
        found[name] = finding.interval.high - finding.interval.low
    return found


def foreseen(findings: Findings, growth: float) -> Findings:
    return {name: finding.after(growth, ALPHA) for name, finding in findings.items()}


def test_intervals_can_be_compared():
    assert side_by_side(20) == side_by_side(20)


def test_side_by_side_the_widths_are_those_that_are_foreseen():
    assert widths(foreseen(side_by_side(100), 10)) == pytest.approx(widths(side_by_side(1_000)), rel=0.4)


def test_a_tail_that_has_no_bound_yet_gets_one():
    few = side_by_side(20)
    assert widths(few)["latency_p95_ms"] == math.inf
    assert widths(foreseen(few, 20))["latency_p95_ms"] == pytest.approx(
        widths(side_by_side(400))["latency_p95_ms"], rel=0.35
    )
    growth = growth_needed(list(few.values()), ALPHA)
    assert growth is not None
    # some thousand events of each version, of which there are 200
    assert 5 < growth < 500


def test_before_and_after_more_days_also_tell_how_days_scatter():
    few = before_after(3, 40)
    later = widths(foreseen(few, 4))
    assert later["latency_ms"] < widths(few)["latency_ms"] / 4
    # the scatter of three days is hardly known, so only the order of magnitude is foreseen
    assert 1 / 4 < later["latency_ms"] / widths(before_after(12, 40))["latency_ms"] < 4


def test_one_day_before_and_after_foresees_nothing():
    one = before_after(1, 40)
    assert widths(one)["latency_ms"] == math.inf
    assert growth_needed(list(one.values()), ALPHA) is None


def test_a_direction_without_a_ratio_stays_as_it_is():
    known = Interval(math.inf, math.inf, math.inf, 500)
    assert known.after(1_000, ALPHA) == Interval(math.inf, math.inf, math.inf, 1_000)
    unknown = Interval(-math.inf, -math.inf, math.inf, 500)
    assert unknown.after(1_000, ALPHA) == Interval(-math.inf, -math.inf, math.inf, 1_000)


def constant(count: int, *, scattered: float = 0.0) -> Findings:
    """A price that never varies and a score that is always full; `scattered` is the candidate's variance of scores."""
    arms = [
        arm(
            version_cells(
                [
                    (
                        Cell(
                            start_seconds=START + hour * HOUR_SECONDS,
                            events=count,
                            cost_count=count,
                            cost_mean=0.01,
                            score_count=count,
                            score_mean=1.0,
                            score_deviation=count * variance,
                        ),
                        None,
                    )
                    for hour in range(10)
                ]
            )
        )
        for variance in (0.0, scattered)
    ]
    return find(Evidence("side_by_side", (arms[0], arms[1]), (START, START)), DEFAULT_MARGINS, ALPHA)


@pytest.mark.parametrize("times", [3, 20])
def test_where_all_values_are_equal_the_widths_shrink_as_is_foreseen(times: int):
    assert widths(foreseen(constant(12), times)) == pytest.approx(widths(constant(12 * times)), rel=0.2)


def test_where_one_versions_values_are_equal_too():
    few, many = (constant(count, scattered=0.001) for count in (12, 240))
    assert widths(foreseen(few, 20)) == pytest.approx(widths(many), rel=0.25)


def test_where_all_values_are_equal_the_wait_is_the_one_that_it_takes():
    needed = next(count for count in range(12, 400) if decide(list(constant(count).values())) == "no_difference")
    assert 20 < needed < 60
    growth = growth_needed(list(constant(12).values()), ALPHA)
    assert growth == pytest.approx(needed / 12, rel=0.2)


@pytest.mark.parametrize("found", [side_by_side(200), before_after(3, 50)], ids=["side by side", "before and after"])
def test_a_difference_is_that_of_the_figures_beside_it(found: Findings):
    assert found
    for name, finding in found.items():
        assert finding.interval is not None
        assert finding.figures is not None
        baseline, candidate = finding.figures
        apart = candidate - baseline if name == "score" else math.log(candidate / baseline)
        assert finding.interval.estimate == pytest.approx(apart, abs=1e-9)
    assert found["latency_ms"].figures == pytest.approx((100, 100), rel=0.2)
