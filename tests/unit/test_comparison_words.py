from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.core.analytics.comparison import TOO_FEW, Difference
from app.core.analytics.usage import CostUsage, LatencyUsage, ScoreUsage, Usage
from app.core.analytics.version_comparison import ComparedVersion, Comparison
from app.web.pages.prompts.comparison_words import findings, version_label

USAGE = Usage(
    100,
    CostUsage(100, Decimal(1), 0.01),
    LatencyUsage(100, 900.0, Decimal(1), Decimal(5_000), 800.0, 1_200.0, 3_000.0),
    ScoreUsage(100, 0.8, Decimal(0), Decimal(1)),
)
UNCLEAR = Difference("no clear difference", 0.01, -0.01, 0.03)
SEEN = datetime(2026, 3, 1, tzinfo=UTC)


def compared(
    *, cost: Difference = UNCLEAR, latency: Difference = UNCLEAR, score: Difference = UNCLEAR, usage: Usage = USAGE
) -> Comparison:
    newer, older = (ComparedVersion(name, None, SEEN, usage) for name in ("new", "old"))
    return Comparison(newer, older, in_range=True, cost=cost, latency=latency, score=score)


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")


def test_what_is_clear_is_a_sentence():
    found = findings(
        compared(
            cost=Difference("lower", -0.12, -0.15, -0.09),
            latency=Difference("higher", 0.08, 0.05, 0.11),
            score=Difference("higher", 0.03, 0.01, 0.05),
        )
    )
    assert plain(found.clear) == "costs 12 % less per event, is 8 % slower and scores 0.030 higher"
    assert (found.unclear, found.too_few) == ("", "")
    assert [row.judgement for row in found.rows] == ["", "good", "bad", "good"]
    assert plain(found.rows[1].interval) == "-15 % to -9 %"


def test_the_other_directions_have_their_words():
    found = findings(
        compared(
            cost=Difference("higher", 0.5, 0.4, 0.6),
            latency=Difference("lower", -0.5, -0.6, -0.4),
            score=Difference("lower", -0.1, -0.2, -0.05),
        )
    )
    assert plain(found.clear) == "costs 50 % more per event, is 50 % faster and scores 0.100 lower"


def test_what_may_be_chance_is_not_claimed():
    found = findings(compared(cost=Difference("lower", -0.12, -0.15, -0.09)))
    assert (plain(found.clear), found.unclear) == ("costs 12 % less per event", "latency and score")
    assert [row.judgement for row in found.rows] == ["", "good", "", ""]


def test_too_few_events_tell_nothing():
    found = findings(compared(cost=TOO_FEW, latency=TOO_FEW, score=TOO_FEW, usage=replace(USAGE, events=29)))
    assert found.too_few_events
    assert (found.clear, found.unclear) == ("", "")
    assert [row.difference for row in found.rows[1:]] == ["too few events"] * 3


def test_what_neither_version_measures_is_not_mentioned():
    usage = replace(USAGE, score=ScoreUsage(0, None, None, None))
    found = findings(compared(score=TOO_FEW, usage=usage))
    assert (found.unclear, found.too_few) == ("cost and latency", "")


def test_a_cost_that_was_nothing_has_no_share():
    assert findings(compared(cost=Difference("higher"))).clear == "costs more per event"


@pytest.mark.parametrize(
    ("version_hash", "name", "label"),
    [("v1", None, "v1"), ("v1", "One", "One"), ("0123456789abcdef0", None, "0123456789ab…")],
)
def test_a_version_is_called_by_its_name_or_a_short_hash(version_hash: str, name: str | None, label: str):
    assert version_label(version_hash, name) == label
