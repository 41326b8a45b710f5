"""What the checks behind /readyz make of plain values."""

from typing import Any

import pytest

from app.core.migrations import SCHEMA_REVISION
from app.core.operations.readiness import (
    OLDEST_EVENT_SECONDS,
    buffer_problem,
    memory_problem,
    migrations_problem,
    settings_problem,
)
from app.core.stream.state import BufferState

GOOD = {
    "redis_version": "7.0.15",
    "role": "master",
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
}


def state(oldest_age_seconds: float) -> BufferState:
    return BufferState(depth=1, pending=0, oldest_age_seconds=oldest_age_seconds, last_drain_age_seconds=None)


@pytest.mark.parametrize("version", ["6.2.0", "6.2.14", "7.0.15", "8.10.1", "255.255.255"])
def test_it_takes_redis_from_6_2_on(version: str) -> None:
    assert settings_problem({**GOOD, "redis_version": version}) is None


@pytest.mark.parametrize("version", ["6.0.20", "5.0.7", "2.8.24"])
def test_it_refuses_an_older_redis(version: str) -> None:
    assert "older than 6.2" in (settings_problem({**GOOD, "redis_version": version}) or "")


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "set maxmemory-policy to noeviction"),
        ({"maxmemory_policy": "volatile-ttl"}, "set maxmemory-policy to noeviction"),
        ({"aof_enabled": 0}, "set appendonly to yes"),
        ({"aof_last_write_status": "err"}, "see its log and its disk"),
        ({"role": "slave"}, "let REDIS_URL name the primary"),
    ],
)
def test_it_says_what_to_do_about_a_wrong_setting(wrong: dict[str, Any], advice: str) -> None:
    assert advice in (settings_problem({**GOOD, **wrong}) or "")


def test_it_names_all_wrong_settings_at_once() -> None:
    problem = settings_problem({**GOOD, "maxmemory_policy": "allkeys-lru", "aof_enabled": 0}) or ""
    assert "maxmemory-policy" in problem
    assert "appendonly" in problem


def test_it_distrusts_a_server_that_says_nothing_of_its_settings() -> None:
    assert settings_problem({}) is not None


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
