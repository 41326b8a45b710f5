"""Totals from merged rollups."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.analytics.usage import Usage, merged_usage
from app.core.queries.sources import MOST_PARTS
from app.core.queries.usage import UsageRow, part_columns
from app.core.rollups.latency_histogram import encode_histogram
from app.core.rollups.time_range import Part
from tests.histograms import histogram_of
from tests.usage_recount import assert_percentile_equals

ABSENT = UsageRow(
    events=0,
    cost_count=0,
    cost_sum=None,
    latency_count=0,
    latency_sum=None,
    latency_min=None,
    latency_max=None,
    latency_histogram=None,
    score_count=0,
    score_sum=None,
    score_min=None,
    score_max=None,
)
latencies_ms = st.floats(0, 1e12) | st.floats(0, 1e-6) | st.sampled_from([0.0, 1e-9, 1.02, 1e12])


def usage_of(row: UsageRow) -> Usage:
    (usage,) = merged_usage([row])
    return usage


def row_of(histogram: bytes, values: list[float]) -> UsageRow:
    decimals = [Decimal(value) for value in values]
    return replace(
        ABSENT,
        events=len(values),
        latency_count=len(values),
        latency_sum=sum(decimals, Decimal(0)),
        latency_min=min(decimals),
        latency_max=max(decimals),
        latency_histogram=histogram,
    )


def test_what_was_never_counted_is_none_and_not_zero() -> None:
    usage = usage_of(ABSENT)
    assert (usage.events, usage.cost_usd.count, usage.latency_ms.count, usage.score.count) == (0, 0, 0, 0)
    assert (usage.cost_usd.sum, usage.cost_usd.mean) == (None, None)
    assert (usage.latency_ms.mean, usage.latency_ms.min, usage.latency_ms.max) == (None, None, None)
    assert (usage.latency_ms.p50, usage.latency_ms.p95, usage.latency_ms.p99) == (None, None, None)
    assert (usage.score.mean, usage.score.min, usage.score.max) == (None, None, None)


def test_rows_of_events_without_measures_have_totals_that_are_none_too() -> None:
    zero = Decimal(0)
    empty_row = replace(ABSENT, events=7, cost_sum=zero, latency_sum=zero, latency_histogram=b"", score_sum=zero)
    assert usage_of(empty_row) == usage_of(replace(ABSENT, events=7))


def test_a_cost_of_nothing_is_zero_and_not_none() -> None:
    usage = usage_of(replace(ABSENT, events=2, cost_count=2, cost_sum=Decimal(0)))
    assert (usage.cost_usd.sum, usage.cost_usd.mean) == (Decimal(0), 0.0)


def test_it_keeps_every_digit_of_a_sum() -> None:
    cost = Decimal("0.1000000000000000055511151231257827021181583404541015625")
    assert usage_of(replace(ABSENT, cost_count=1, cost_sum=cost)).cost_usd.sum == cost


def test_one_latency_is_its_own_percentiles() -> None:
    found = usage_of(row_of(histogram_of([123.456]), [123.456])).latency_ms
    assert (found.p50, found.p95, found.p99) == (123.456, 123.456, 123.456)


def test_a_latency_of_zero_stays_zero() -> None:
    values = [0.0, 0.0, 5.0]
    assert usage_of(row_of(histogram_of(values), values)).latency_ms.p50 == 0.0


@given(st.lists(st.lists(latencies_ms, min_size=1, max_size=30), min_size=1, max_size=4))
def test_percentiles_of_merged_histograms_are_within_one_percent(batches: list[list[float]]) -> None:
    values = [value for batch in batches for value in batch]
    found = usage_of(row_of(b"".join(map(histogram_of, batches)), values)).latency_ms
    ascending = sorted(map(Decimal, values))
    for estimate, percentile in ((found.p50, 50), (found.p95, 95), (found.p99, 99)):
        assert_percentile_equals(estimate, ascending, percentile)
        assert estimate is not None
        assert ascending[0] <= Decimal(estimate) <= ascending[-1]


@pytest.mark.parametrize(("slow", "p99"), [(1, 10.0), (2, 1_000.0)])
def test_the_rank_is_rounded_up(slow: int, p99: float) -> None:
    values = [10.0] * (100 - slow) + [1_000.0] * slow
    found = usage_of(row_of(histogram_of(values), values)).latency_ms
    assert found.p99 == pytest.approx(p99, rel=0.01)


def test_it_counts_more_than_four_billion_latencies() -> None:
    fast, slow = 6 * 10**9, 5 * 10**9
    histogram = encode_histogram({0: fast, 100: slow})
    row = replace(row_of(histogram, [1.0, 1.02**100]), latency_count=fast + slow)
    found = usage_of(row).latency_ms
    assert found.p50 == pytest.approx(1.0, rel=0.01)
    assert found.p95 == pytest.approx(1.02**100, rel=0.01)


def test_more_parts_than_a_statement_takes_are_refused_and_not_left_out():
    part = Part("day", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
    assert part_columns([part] * MOST_PARTS)["grains"] == ["day"] * MOST_PARTS
    with pytest.raises(ValueError, match="21 parts are more than 20"):
        part_columns([part] * (MOST_PARTS + 1))
