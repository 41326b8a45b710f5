import math

import pytest

from app.core.analytics.confidence import Interval
from app.core.analytics.decision import FEWEST_EVENTS, Finding, decide

ENOUGH = (FEWEST_EVENTS, FEWEST_EVENTS)
ALPHA = 0.0125


def a_finding(
    low: float, high: float, *, margin: float = 0.05, counts: tuple[int, int] = ENOUGH, more_is_better: bool = False
) -> Finding:
    interval = Interval((low + high) / 2, low, high, events=2.0 * min(counts))
    return Finding(interval, counts, margin, lower_is_better=not more_is_better, is_ratio=not more_is_better)


LOWER, HIGHER = a_finding(-0.3, -0.2), a_finding(0.2, 0.3)
SLIGHTLY_HIGHER = a_finding(0.01, 0.04)
AS_BEFORE, UNKNOWN = a_finding(-0.04, 0.04), a_finding(-0.2, 0.2)
FEW_HIGHER, FEW_LOWER = (a_finding(*ends, counts=(FEWEST_EVENTS - 1, 10_000)) for ends in ((0.2, 0.3), (-0.3, -0.2)))
SCORES_HIGHER, SCORES_LOWER = a_finding(0.1, 0.2, more_is_better=True), a_finding(-0.2, -0.1, more_is_better=True)


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (LOWER, "lower"),
        (HIGHER, "higher"),
        (UNKNOWN, "none"),
        (a_finding(0.0, 0.1), "none"),
        (FEW_HIGHER, "too_few"),
        (Finding(None, (500, 500), 0.05, lower_is_better=True, is_ratio=True), "too_few"),
    ],
)
def test_a_verdict_is_what_surely_is(finding: Finding, verdict: str):
    assert finding.verdict == verdict


@pytest.mark.parametrize(
    ("findings", "decision"),
    [
        ([], "undecided"),
        ([LOWER], "better"),
        ([LOWER, AS_BEFORE], "better"),
        ([LOWER, UNKNOWN], "undecided"),
        ([LOWER, SLIGHTLY_HIGHER], "better"),
        ([SCORES_HIGHER, AS_BEFORE], "better"),
        ([HIGHER], "worse"),
        ([HIGHER, UNKNOWN], "worse"),
        ([SCORES_LOWER, UNKNOWN], "worse"),
        ([HIGHER, LOWER], "mixed"),
        ([SCORES_LOWER, LOWER], "mixed"),
        ([AS_BEFORE], "no_difference"),
        ([AS_BEFORE, SLIGHTLY_HIGHER], "no_difference"),
        ([UNKNOWN], "undecided"),
        ([UNKNOWN, AS_BEFORE], "undecided"),
    ],
)
def test_a_decision_is_made_of_all_measures_together(findings: list[Finding], decision: str):
    assert decide(findings) == decision


@pytest.mark.parametrize(
    ("findings", "decision"),
    [
        ([FEW_HIGHER], "undecided"),
        ([FEW_LOWER, AS_BEFORE], "undecided"),
        ([LOWER, FEW_LOWER], "undecided"),
        ([HIGHER, FEW_LOWER], "worse"),
        ([HIGHER, LOWER, FEW_LOWER], "mixed"),
    ],
)
def test_a_measure_of_few_events_keeps_good_news_back_but_no_bad_news(findings: list[Finding], decision: str):
    assert decide(findings) == decision


def test_an_interval_that_ends_at_the_margin_is_harmless():
    assert decide([a_finding(-0.05, 0.05)]) == "no_difference"
    assert decide([a_finding(-0.05, 0.0501)]) == "undecided"
    assert decide([a_finding(-0.3, -0.2), a_finding(-0.2, 0.05)]) == "better"


def test_with_growth_intervals_close_in_on_the_estimate():
    finding = a_finding(-0.1, 0.3, counts=(1_000, 2_000))
    later = finding.after(4, ALPHA)
    assert later.counts == (4_000, 8_000)
    assert later.interval is not None
    assert later.interval.estimate == pytest.approx(0.1)
    assert -0.1 < later.interval.low < later.interval.estimate < later.interval.high < 0.3
    assert later.interval.high - 0.1 == pytest.approx(0.1 - later.interval.low)


def test_a_measure_without_a_bound_decides_nothing_but_what_its_other_end_tells():
    assert decide([a_finding(-math.inf, math.inf)]) == "undecided"
    assert decide([LOWER, a_finding(-math.inf, math.inf)]) == "undecided"
    assert decide([Finding(Interval(1.0, 0.5, math.inf, 500), ENOUGH, 0.05, lower_is_better=True, is_ratio=True)]) == (
        "worse"
    )
