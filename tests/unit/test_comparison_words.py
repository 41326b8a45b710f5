import math
from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.analytics.comparison import MeasureName
from app.core.analytics.confidence import Interval
from app.core.analytics.decision import Finding
from app.core.analytics.evidence import Kind
from app.core.analytics.version_comparison import Comparison
from app.core.visible_text import version_label
from app.web.pages.prompts.comparison_words import verdict_of
from tests.comparisons import CHANGE, compared, difference, hourly, ratio

CHEAPER, DEARER, SAME_COST = ratio(-0.15, -0.09), ratio(0.15, 0.25), ratio(-0.02, 0.03)
FASTER, SLOWER, SAME_SPEED = ratio(-0.3, -0.1), ratio(0.08, 0.12), ratio(-0.03, 0.04)
SAME_SCORE, OPEN_SCORE, FEW = difference(-0.01, 0.015), difference(-0.05, 0.04), difference(-0.1, 0.1, counts=(34, 80))
OPEN_COST = ratio(-0.2, 0.2)
NOTHING_YET = ratio(-1, math.inf)
ONE_DAY = replace(NOTHING_YET, interval=Interval(0.0, -math.inf, math.inf, 1_000, days=1.0))


def said(comparison: Comparison) -> str:
    """All of it, as it is read."""
    found = verdict_of(comparison)
    parts = [found.decision.striptags(), found.more, found.basis.striptags(), found.warning]
    return " ".join(part for part in parts if part).replace("\N{NO-BREAK SPACE}", " ").replace("&#39;", "'")


def of(cost: Finding, latency: Finding, score: Finding) -> dict[MeasureName, Finding]:
    return {"cost_usd": cost, "latency_ms": latency, "score": score}


SIDE_BY_SIDE = "Compared side by side, hour by hour, in the 48 hours that both have since 10 March."
BEFORE_AFTER = (
    "Compared before and after: v7 in the 3 days since it came on 10 March, v6 in the time before. "
    "Other things may have changed with it."
)
DECISIONS = [
    (
        of(CHEAPER, SAME_SPEED, SAME_SCORE),
        (
            "v7 is better than v6: 12 % cheaper (9 to 15 %), "
            "and neither slower nor lower in score by more than your margins."
        ),
    ),
    (
        of(DEARER, SAME_SPEED, OPEN_SCORE),
        "v7 is worse than v6: 20 % more expensive (15 to 25 %). There is no clear difference in latency and score.",
    ),
    (
        of(CHEAPER, SLOWER, SAME_SCORE),
        (
            "v7 is mixed against v6: 12 % cheaper (9 to 15 %), but 10 % slower (8 to 12 %). "
            "There is no clear difference in score."
        ),
    ),
    (
        of(SAME_COST, SAME_SPEED, SAME_SCORE),
        (
            "There is no difference that matters between v7 and v6: "
            "cost, latency and score differ by less than your margins."
        ),
    ),
    (
        of(CHEAPER, SAME_SPEED, OPEN_SCORE),
        (
            "Can't tell yet whether v7 is better than v6: about 1,200 more events, 3 days at this rate. "
            "It is clearly 12 % cheaper (9 to 15 %) already. It may still be lower in score by more than your margin."
        ),
    ),
]


@pytest.mark.parametrize(("findings", "sentence"), DECISIONS)
@pytest.mark.parametrize(("kind", "basis"), [("side_by_side", SIDE_BY_SIDE), ("before_after", BEFORE_AFTER)])
def test_the_decision_comes_first_then_what_was_compared(
    findings: dict[MeasureName, Finding], sentence: str, kind: Kind, basis: str
):
    found = compared(findings, kind=kind)
    if found.decision == "undecided":
        found = compared(findings, kind=kind, events_needed=1_234, days_needed=2.9)
    assert said(found) == f"{sentence} {basis}"


def test_all_measures_are_named_and_a_slight_loss_within_the_margin_is_told():
    findings = of(CHEAPER, FASTER, difference(-0.015, -0.005)) | {"latency_p95_ms": FASTER}
    assert said(compared(findings)).startswith(
        "v7 is better than v6: 12 % cheaper (9 to 15 %), 21 % faster (10 to 30 %) and 21 % faster at p95 (10 to 30 %). "
        "It is 0.010 lower in score (0.005 to 0.015), which is within your margin."
    )


def test_one_measure_alone_is_said_in_the_singular():
    assert said(compared({"cost_usd": SAME_COST})).startswith(
        "There is no difference that matters between v7 and v6: cost differs by less than your margin."
    )
    assert "and not slower by more than your margin." in said(compared({"cost_usd": CHEAPER, "latency_ms": SAME_SPEED}))


def test_a_measure_that_few_events_carry_is_named():
    assert "Too few events carry a score to tell more." in said(compared(of(DEARER, SAME_SPEED, FEW)))


@pytest.mark.parametrize(
    ("events", "days", "words"),
    [
        (7, None, "about 7 more events."),
        (1_254, 0.04, "about 1,300 more events, 1 hour at this rate."),
        (98_700, 1.2, "about 99,000 more events, 29 hours at this rate."),
        (1_234_567, 800.0, "about 1.2 M more events, 2 years at this rate."),
    ],
)
def test_how_much_more_it_takes_is_rounded(events: int, days: float | None, words: str):
    found = compared(of(SAME_COST, SAME_SPEED, OPEN_SCORE), events_needed=events, days_needed=days)
    assert f"whether v7 is better than v6: {words}" in said(found)


def test_too_few_events_say_how_many_there_are_and_are_needed():
    found = compared({"score": FEW}, events_needed=210, days_needed=2.0)
    assert said(found) == (
        "Can't tell yet whether v7 is better than v6: too few events in the 48 hours that both have (34 and 80), and "
        f"nothing is said below 100 of each; about 210 more events, 2 days at this rate. {SIDE_BY_SIDE}"
    )


def test_before_and_after_need_more_than_one_day():
    found = compared({"cost_usd": ONE_DAY, "latency_ms": ONE_DAY}, kind="before_after")
    assert "better than v6: days are compared with days, and one day alone tells nothing yet. Compared" in said(found)


def test_without_a_common_hour_it_says_which_version_was_missing():
    gone = compared({}, arms=(hourly(CHANGE, 0), hourly(CHANGE, 30)))
    assert said(gone).endswith("they have no hour in common, and v6 had no events in the time before v7 came.")
    just_begun = compared({}, arms=(hourly(CHANGE, 0), hourly(CHANGE, 1)))
    assert said(just_begun).endswith("better than v6: v7 has no events after its first hour yet.")


def test_events_without_numbers_cannot_be_compared():
    assert "no cost, latency or score came with the events of both" in said(compared({}))


def test_what_would_take_for_ever_is_said_to():
    close = of(SAME_COST, ratio(-0.06, 0.051), SAME_SCORE)
    assert "so close to your margins that it would take more than a thousand times the events" in said(compared(close))
    assert "of cost the events so far tell too little" in said(compared({"cost_usd": NOTHING_YET}))
    open_ended = of(SAME_COST, ratio(-0.02, math.inf), SAME_SCORE)
    assert "of latency the events so far tell too little" in said(compared(open_ended))


def test_one_hour_is_said_in_the_singular():
    hour = hourly(CHANGE - timedelta(days=1), 25), hourly(CHANGE, 30)
    assert "in the 1 hour that both have" in said(compared({"score": FEW}, arms=hour))


@pytest.mark.parametrize(
    ("version_hash", "name", "label"),
    [("v1", None, "v1"), ("v1", "One", "One"), ("0123456789abcdef0", None, "0123456789ab…")],
)
def test_a_version_is_called_by_its_name_or_a_short_hash(version_hash: str, name: str | None, label: str):
    assert version_label(version_hash, name) == label


def test_a_name_is_only_text_whatever_it_holds():
    found = compared({"cost_usd": SAME_COST})
    hostile = replace(found, candidate=replace(found.candidate, name="<script>\u202e"))
    assert "&lt;script&gt;[U+202E]</bdi>" in verdict_of(hostile).decision


@pytest.mark.parametrize("cost", [CHEAPER, OPEN_COST, None])
def test_what_is_left_out_of_the_decision_is_said_whatever_it_is(cost: Finding | None):
    findings: dict[MeasureName, Finding] = {"cost_usd": cost} if cost else {}
    text = said(compared(findings, left_out={"score": OPEN_SCORE}))
    assert "Score is not part of the decision: no margin is set." in text
    assert ("of what is part of the decision nothing came with the events of both" in text) == (cost is None)
