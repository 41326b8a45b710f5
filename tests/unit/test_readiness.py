"""What the checks behind /readyz make of plain values."""

import pytest

from app.core.migrations import SCHEMA_REVISION
from app.core.operations.readiness import (
    OLDEST_EVENT_SECONDS,
    buffer_problem,
    memory_problem,
    migrations_problem,
)
from app.core.stream.state import BufferState


def state(oldest_age_seconds: float) -> BufferState:
    return BufferState(depth=1, pending=0, oldest_age_seconds=oldest_age_seconds, last_drain_age_seconds=None)


def test_an_event_may_wait_for_a_minute_and_no_longer() -> None:
    assert buffer_problem(state(OLDEST_EVENT_SECONDS), 2) is None
    assert "61 s" in (buffer_problem(state(OLDEST_EVENT_SECONDS + 1), 2) or "")


@pytest.mark.parametrize(
    ("memory", "full"),
    [
        ({"maxmemory": 0, "used_memory": 10**12}, False),
        ({"maxmemory": 10**7, "used_memory": 9 * 10**6}, False),
        ({"maxmemory": 10**7, "used_memory": 10**7 - 1_000}, True),
        ({"maxmemory": 10**7, "used_memory": 10**7}, True),
        ({"maxmemory": 10**7, "used_memory": 10**7, "mem_not_counted_for_evict": 10**6}, False),
        ({}, False),
    ],
)
def test_redis_is_full_where_a_request_would_not_fit(memory: dict[str, int], full: bool) -> None:
    assert (memory_problem(memory) is not None) == full


def test_a_buffer_is_full_from_its_watermark_on() -> None:
    assert buffer_problem(state(0), 2) is None
    assert "1 events wait" in (buffer_problem(state(0), 1) or "")


def test_it_tells_no_schema_from_a_wrong_one() -> None:
    assert migrations_problem(SCHEMA_REVISION) is None
    assert "no schema" in (migrations_problem(None) or "")
    assert "another version" in (migrations_problem("0000") or "")
