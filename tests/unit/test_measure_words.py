import math
from dataclasses import replace

import pytest

from app.core.analytics.confidence import Interval
from app.core.analytics.decision import Finding
from app.web.pages.prompts.measure_words import difference_words, interval_words, rows_of, state_of
from tests.comparisons import compared, difference, ratio


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        (ratio(-0.15, -0.09), "9 to 15 % cheaper"),
        (ratio(0.09, 0.15), "9 to 15 % more expensive"),
        (ratio(-0.02, 0.04), "2 % cheaper to 4 % more expensive"),
        (ratio(-0.02, math.inf), "at most 2 % cheaper"),
        (ratio(0.02, math.inf), "at least 2 % more expensive"),
        (ratio(0.02, 30), "2 to over 1,000 % more expensive"),
        (ratio(-0.0001, 0.04), "under 0.1 % cheaper to 4 % more expensive"),
        (ratio(0.0501, 0.0502), "5 % more expensive"),
    ],
)
def test_an_interval_is_said_in_words(finding: Finding, words: str):
    assert plain(interval_words("cost_usd", finding)) == words


def test_an_interval_without_ends_is_not_known():
    assert interval_words("cost_usd", ratio(-1, math.inf)) == "not known yet"
    assert plain(interval_words("latency_ms", ratio(-1, 0.04))) == "at most 4 % slower"


def test_a_score_has_no_per_cent():
    assert interval_words("score", difference(0.01, 0.03)) == "0.010 to 0.030 higher"
    assert difference_words("score", difference(0.01, 0.03)) == "0.020 higher in score (0.010 to 0.030)"


def test_what_was_free_and_costs_now_is_more_by_any_measure():
    interval = Interval(math.inf, math.inf, math.inf, 1_000)
    found = Finding(interval, (900, 900), 0.05, lower_is_better=True, is_ratio=True)
    assert plain(difference_words("cost_usd", found)) == "over 1,000 % more expensive"
    assert state_of(found) == "worse"


@pytest.mark.parametrize(
    ("finding", "state"),
    [
        (ratio(-0.15, -0.09), "better"),
        (ratio(0.09, 0.15), "worse"),
        (ratio(0.01, 0.06), "worse"),
        (ratio(0.01, 0.04), "slightly_worse"),
        (ratio(-0.3, 0.04), "harmless"),
        (ratio(-0.3, 0.06), "open"),
        (ratio(-0.3, 0.06, counts=(99, 1_000)), "too_few"),
    ],
)
def test_what_a_measure_says_depends_on_its_margin(finding: Finding, state: str):
    assert state_of(finding) == state


def test_a_table_has_a_row_for_each_measure_that_both_have():
    found = compared(
        {
            "score": difference(-0.05, 0.04, counts=(34, 80)),
            "cost_usd": ratio(-0.15, -0.09),
            "latency_ms": ratio(-0.03, 0.04),
            "latency_p95_ms": ratio(0.12, 0.3, margin=0.1),
        }
    )
    rows = [(row.label, row.verdict, row.judgement, plain(row.margin)) for row in rows_of(found)]
    assert rows == [
        ("Cost", "better", "good", "5 %"),
        ("Latency, typical", "no difference that matters", "", "5 %"),
        ("Latency, p95", "worse", "bad", "10 %"),
        ("Score", "too few events: 34 and 80 of 100 each", "", "0.020"),
    ]
    assert plain(rows_of(found)[0].difference) == "\N{MINUS SIGN}12 %"


def test_a_difference_stands_beside_the_figures_that_it_is_of():
    (row,) = rows_of(compared({"latency_ms": replace(ratio(0.02, 0.06), figures=(669.2, 700.4))}))
    assert (row.label, row.figure) == ("Latency, typical", "geometric mean")
    assert (plain(row.baseline), plain(row.candidate)) == ("669 ms", "700 ms")
