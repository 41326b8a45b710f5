"""Storing events for tests of the read API, and a plain recount in Python of what it says, exact by fractions."""

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar
from uuid import uuid4

from app.core.analytics.usage import Usage
from app.core.database import Connection
from app.core.rollups.time_range import TimeRange
from worker.known_versions import NewPerDay
from worker.store import EventStore, ReceivedEvent

Key = TypeVar("Key", bound=Hashable)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ALLOWED_RELATIVE_ERROR = 0.01
COUNTS_AS_ZERO_MS = 1e-9
WITHOUT_LIMITS = NewPerDay(versions_of_prompt=1_000_000, prompts_of_project=1_000_000)


def new_project(connection: Connection) -> int:
    """A project with a name that no other test uses."""
    row = connection.execute("INSERT INTO projects (name) VALUES (%s) RETURNING id", [uuid4().hex]).fetchone()
    assert row is not None
    return int(row[0])


def store_in_batches(connection: Connection, events: Sequence[ReceivedEvent], *, batch_size: int) -> None:
    """Store events as the worker does, so that rollups are merged from several batches."""
    store = EventStore(WITHOUT_LIMITS)
    for start in range(0, len(events), batch_size):
        store.store(connection, events[start : start + batch_size])


def time_of(received: ReceivedEvent) -> datetime:
    return EPOCH + timedelta(milliseconds=received.occurred_at_ms)


def within(time_range: TimeRange, events: Iterable[ReceivedEvent]) -> list[ReceivedEvent]:
    return [event for event in events if time_range.start <= time_of(event) < time_range.end]


def grouped(events: Iterable[ReceivedEvent], key: Callable[[ReceivedEvent], Key]) -> dict[Key, list[ReceivedEvent]]:
    groups: dict[Key, list[ReceivedEvent]] = {}
    for event in events:
        groups.setdefault(key(event), []).append(event)
    return groups


def assert_usage_equals(usage: Usage, events: Sequence[ReceivedEvent]) -> None:
    """Counts, sums and extremes exactly, means to the precision of a float, percentiles within 1 %."""
    latencies = sorted(event.event.latency_ms for event in events if event.event.latency_ms is not None)
    costs = [event.event.cost_usd for event in events if event.event.cost_usd is not None]
    scores = [event.event.score for event in events if event.event.score is not None]
    assert usage.events == len(events)
    assert usage.cost_usd.count == len(costs)
    assert exact(usage.cost_usd.sum) == (sum(map(Fraction, costs)) if costs else None)
    assert_mean_equals(usage.cost_usd.mean, costs)
    assert (usage.latency_ms.count, usage.latency_ms.min, usage.latency_ms.max) == count_and_extremes(latencies)
    assert_mean_equals(usage.latency_ms.mean, latencies)
    assert_percentile_equals(usage.latency_ms.p50, latencies, 50)
    assert_percentile_equals(usage.latency_ms.p95, latencies, 95)
    assert_percentile_equals(usage.latency_ms.p99, latencies, 99)
    assert (usage.score.count, usage.score.min, usage.score.max) == count_and_extremes(scores)
    assert_mean_equals(usage.score.mean, scores)


def exact(number: Decimal | None) -> Fraction | None:
    return None if number is None else Fraction(number)


def count_and_extremes(values: Sequence[Decimal]) -> tuple[int, Decimal | None, Decimal | None]:
    return len(values), min(values, default=None), max(values, default=None)


def assert_mean_equals(mean: float | None, values: Sequence[Decimal]) -> None:
    if mean is None or not values:
        assert mean is None
        assert not values
    else:
        assert math.isclose(mean, sum(map(Fraction, values)) / len(values), rel_tol=1e-14)


def assert_percentile_equals(estimate: float | None, ascending: Sequence[Decimal], percentile: int) -> None:
    if estimate is None or not ascending:
        assert estimate is None
        assert not ascending
    else:
        nearest_rank = float(ascending[-(-percentile * len(ascending) // 100) - 1])
        assert math.isclose(estimate, nearest_rank, rel_tol=ALLOWED_RELATIVE_ERROR, abs_tol=COUNTS_AS_ZERO_MS)
