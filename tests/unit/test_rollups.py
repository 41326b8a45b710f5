import math
from datetime import date
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from app.core.rollups.event_row import EventRow
from app.core.rollups.grains import GRAIN_SECONDS
from app.core.rollups.latency_histogram import decode_histogram
from app.core.rollups.rollup import WHOLE, Rollup, RollupKey, at_every_level, count_by_minute
from tests.histograms import histogram_of

decimals = st.decimals(-(10**12), 10**12, allow_nan=False, places=30)
rows = st.builds(
    EventRow,
    day=st.just(date(2026, 9, 21)),
    event_id=st.just(bytes(16)),
    received_at_ms=st.just(0),
    project_id=st.integers(1, 2),
    prompt_key=st.integers(1, 3),
    version_key=st.integers(1, 3),
    occurred_at_ms=st.integers(1_790_000_000_000, 1_790_000_000_000 + 3 * 86_400_000),
    latency_ms=st.none() | decimals.map(abs),
    cost_usd=st.none() | decimals.map(abs),
    score=st.none() | decimals,
)


def roll_up(events: list[EventRow]) -> list[tuple[RollupKey, Rollup]]:
    return at_every_level(count_by_minute(events))


def belongs(event: EventRow, key: RollupKey) -> bool:
    seconds = GRAIN_SECONDS[key.grain]
    return (
        event.project_id == key.project_id
        and key.prompt_key in (WHOLE, event.prompt_key)
        and key.version_key in (WHOLE, event.version_key)
        and key.bucket_start_seconds * 1_000 <= event.occurred_at_ms < (key.bucket_start_seconds + seconds) * 1_000
    )


@given(st.lists(rows, max_size=30))
def test_every_row_equals_a_plain_recount_of_its_events(events):
    for key, rollup in roll_up(events):
        counted = [event for event in events if belongs(event, key)]
        assert rollup.events == len(counted)
        for sums, values in (
            (rollup.latency, [event.latency_ms for event in counted if event.latency_ms is not None]),
            (rollup.cost, [event.cost_usd for event in counted if event.cost_usd is not None]),
            (rollup.score, [event.score for event in counted if event.score is not None]),
        ):
            assert sums.count == len(values)
            assert exact(sums.sum) == sum(map(exact, values))
            assert exact(sums.sum_squares) == sum(exact(value) ** 2 for value in values)
            assert (sums.min, sums.max) == (min(values, default=None), max(values, default=None))
        latencies = [float(event.latency_ms) for event in counted if event.latency_ms is not None]
        logarithms = [math.log(max(latency_ms, 0.001)) for latency_ms in latencies]
        assert math.isclose(rollup.latency_log_sum, math.fsum(logarithms), rel_tol=1e-9, abs_tol=1e-9)
        squares = [logarithm**2 for logarithm in logarithms]
        assert math.isclose(rollup.latency_log_sum_squares, math.fsum(squares), rel_tol=1e-9, abs_tol=1e-9)
        assert decode_histogram(rollup.latency_histogram) == decode_histogram(histogram_of(latencies))


@given(st.lists(rows, max_size=30))
def test_every_event_is_counted_in_nine_rows(events):
    rows = roll_up(events)
    assert sum(rollup.events for _, rollup in rows) == 9 * len(events)


@given(st.lists(rows, max_size=30))
def test_rows_come_once_and_in_the_order_of_their_keys(events):
    keys = [key for key, _ in roll_up(events)]
    assert keys == sorted(set(keys))


def test_nothing_adds_nothing():
    assert roll_up([]) == []


def exact(value: Decimal) -> Fraction:
    """Python's fractions do the recount without any rounding."""
    return Fraction(value)
