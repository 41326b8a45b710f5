"""What the light of the pages makes of what the servers tell."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.operations.health import (
    DATABASE_LATE,
    REDIS_LATE,
    DatabaseHealth,
    Health,
    RedisHealth,
    Waiting,
    health_of,
)
from app.core.queries.dead_letters import COUNTED_LETTERS
from app.core.stream.state import BufferState
from app.web.pages.layout.health_words import health_words

NOW = datetime(2026, 11, 2, 14, 3, 20, tzinfo=UTC)
WELL = DatabaseHealth({"postgresql": None}, {})


def redis_of(depth: int, age: float, problem: str | None = None) -> RedisHealth:
    return RedisHealth({"redis": None, "buffer": problem}, BufferState(depth, 0, age, None), NOW)


def seen(in_redis: RedisHealth, in_database: DatabaseHealth = WELL, *, sees_all: bool = False) -> Health:
    return health_of(in_redis, in_database, project_id=7, sees_all=sees_all)


def test_what_waits_for_a_moment_is_no_delay() -> None:
    health = seen(redis_of(900, 4.9))
    assert (health.state, health.waiting, health.reasons) == ("ok", None, [])
    assert health_words(health, NOW).age == ""


def test_what_waits_for_longer_says_since_when_and_how_much() -> None:
    health = seen(redis_of(1_234, 8.0))
    assert (health.state, health.waiting) == ("delayed", Waiting(1_234, NOW - timedelta(seconds=8)))
    assert health_words(health, NOW).age == "Data up to 14:03:12 UTC; 1,234 events wait"
    assert health_words(seen(redis_of(1, 8.0)), NOW).age.endswith("; 1 event waits")


def test_what_waits_since_another_day_says_so_too() -> None:
    told = health_words(seen(redis_of(2, 86_400.0)), NOW).age
    assert told == "Data up to 1 Nov 14:03:20 UTC; 2 events wait"


def test_a_buffer_that_is_damaged_is_no_redis_that_is_silent() -> None:
    damaged = RedisHealth({"redis": None, "buffer": "The buffer is damaged."}, None, NOW)
    assert health_words(seen(damaged), NOW).age == "What waits to be stored is not known"
    assert health_words(seen(REDIS_LATE), NOW).age == "What waits to be stored is not known: Redis does not answer"


def test_a_check_that_fails_is_broken_and_says_it_once() -> None:
    health = seen(redis_of(5, 66.0, "The oldest buffered event has waited for 66 s"))
    assert (health.state, [reason.entry for reason in health.reasons]) == ("broken", ["buffer"])
    assert health.waiting is not None


@pytest.mark.parametrize(("sees_all", "letters"), [(False, 2), (True, 10)])
def test_dead_letters_are_those_that_one_may_see(sees_all: bool, letters: int) -> None:
    health = seen(redis_of(0, 0), DatabaseHealth({"postgresql": None}, {7: 2, 8: 3, None: 5}), sees_all=sees_all)
    assert (health.state, health.dead_letters) == ("delayed", letters)
    assert health_words(health, NOW).word == f"{letters} set aside"


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({7: COUNTED_LETTERS - 1}, "9,999"),
        ({7: COUNTED_LETTERS, 8: 5}, "10,000+"),
        ({7: 6_000, None: 6_000}, "10,000+"),
    ],
)
def test_dead_letters_that_are_too_many_to_be_counted_are_told_as_such(
    counts: dict[int | None, int], words: str
) -> None:
    health = seen(redis_of(0, 0), DatabaseHealth({"postgresql": None}, counts), sees_all=True)
    assert health_words(health, NOW).word == f"{words} set aside"
    assert health.reasons[0].text.endswith(f"could not be stored: {words}.")


def test_dead_letters_of_others_are_no_reason() -> None:
    health = seen(redis_of(0, 0), DatabaseHealth({"postgresql": None}, {8: 3, None: 5}))
    assert (health.state, health.dead_letters) == ("ok", 0)


def test_a_server_that_does_not_answer_leaves_nothing_to_be_claimed() -> None:
    health = seen(REDIS_LATE, DATABASE_LATE)
    assert [reason.entry for reason in health.reasons] == ["redis", "postgresql"]
    assert (health.state, health.knows_what_waits, health.dead_letters) == ("broken", False, None)
    assert "not known" in health_words(health, NOW).age


def test_a_replica_that_is_behind_says_up_to_when_the_data_goes() -> None:
    nothing_waits, some_wait = seen(redis_of(0, 0.0)), seen(redis_of(2, 8.0))
    fresh, behind = NOW - timedelta(seconds=2), NOW - timedelta(seconds=9)
    assert health_words(nothing_waits, NOW, fresh).age == ""
    assert health_words(nothing_waits, NOW, behind).age == "Data up to 14:03:11 UTC; the replica is behind"
    assert health_words(some_wait, NOW, fresh).age == "Data up to 14:03:12 UTC; 2 events wait"
    assert health_words(some_wait, NOW, behind).age == "Data up to 14:03:11 UTC; 2 events wait, the replica is behind"
