"""Repeats in the next hour, whose id begins with another one, when Redis no longer has the mark of the first call."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from app.core.stream.events import Event, idempotency_mark, idempotent_event_id
from tests.recount import assert_rollups_equal_a_recount
from worker.store import EventStore, ReceivedEvent

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
MIDNIGHT_MS = int(datetime(2026, 3, 8, tzinfo=UTC).timestamp() * 1_000)
NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS

pytestmark = pytest.mark.parametrize("border_ms", [NOON_MS, MIDNIGHT_MS])


def received(project_id: int, at_ms: int, *, key: str = "k", latency_ms: int = 5, web_ahead_ms: int = 0):
    mark = idempotency_mark(b"secret", project_id, key)
    event_id = idempotent_event_id(mark, at_ms + web_ahead_ms)
    return ReceivedEvent(Event(event_id, project_id, UUID(int=1), "v", Decimal(latency_ms)), at_ms)


def test_a_repeat_after_the_border_is_not_stored_again(database, project_id, border_ms):
    store = EventStore()
    assert store.store(database, [received(project_id, border_ms - 1)]).new == 1
    others = [received(project_id, border_ms, key=str(number)) for number in range(5)]
    report = store.store(database, [*others, received(project_id, border_ms)])
    assert report == (5, [])
    assert assert_rollups_equal_a_recount(database) == 6


def test_it_is_known_for_an_hour_at_least(database, project_id, border_ms):
    store = EventStore()
    store.store(database, [received(project_id, border_ms)])
    assert store.store(database, [received(project_id, border_ms + 2 * HOUR_MS - 1)]).new == 0
    assert store.store(database, [received(project_id, border_ms + HOUR_MS + MINUTE_MS)]).new == 0


def test_both_of_them_in_one_batch_are_one_event(database, project_id, border_ms):
    batch = [received(project_id, border_ms - 1), received(project_id, border_ms)]
    assert EventStore().store(database, batch) == (1, [])
    assert assert_rollups_equal_a_recount(database) == 1


@pytest.mark.parametrize("worker_behind_ms", [-HOUR_MS, MINUTE_MS - 1])
def test_a_first_call_whose_stream_had_to_wait_is_known_by_its_repeat(
    database, project_id, border_ms, worker_behind_ms
):
    store = EventStore(clock=lambda: (border_ms - worker_behind_ms) / 1_000)
    assert store.store(database, [received(project_id, border_ms)]).new == 1
    others = [received(project_id, border_ms - 1, key=str(number)) for number in range(5)]
    assert store.store(database, [*others, received(project_id, border_ms - 1)]) == (5, [])
    assert store.store(database, [received(project_id, border_ms - 2, latency_ms=6)]) == (0, [0])
    assert assert_rollups_equal_a_recount(database) == 6


def test_the_same_key_with_other_content_is_set_aside(database, project_id, border_ms):
    EventStore().store(database, [received(project_id, border_ms - 1)])
    assert EventStore().store(database, [received(project_id, border_ms, latency_ms=6)]) == (0, [0])
    batch = [received(project_id, border_ms - 1, key="l"), received(project_id, border_ms, key="l", latency_ms=6)]
    assert EventStore().store(database, batch) == (1, [1])


@pytest.mark.parametrize("web_ahead_ms", [-MINUTE_MS, MINUTE_MS])
def test_the_clocks_of_web_and_redis_may_differ_at_the_border(database, project_id, border_ms, web_ahead_ms):
    first_at_ms = border_ms + (0 if web_ahead_ms < 0 else -1)
    EventStore().store(database, [received(project_id, first_at_ms, web_ahead_ms=web_ahead_ms)])
    repeat = received(project_id, border_ms + 30 * MINUTE_MS)
    assert EventStore().store(database, [repeat]).new == 0


def test_the_same_entry_again_is_known_as_ever(database, project_id, border_ms):
    entry = received(project_id, border_ms - 1)
    assert [EventStore().store(database, [entry]).new for _ in range(2)] == [1, 0]


def test_another_project_has_keys_of_its_own(database, project_id, border_ms):
    database.execute("INSERT INTO projects (name) VALUES ('other')")
    EventStore().store(database, [received(project_id, border_ms - 1)])
    assert EventStore().store(database, [received(project_id + 1, border_ms)]).new == 1


def timed(project_id: int, at_ms: int, received_at_ms: int) -> ReceivedEvent:
    event_id = idempotent_event_id(idempotency_mark(b"secret", project_id, "k"), at_ms)
    event = Event(event_id, project_id, UUID(int=1), "v", Decimal(5), occurred_at_ms=at_ms)
    return ReceivedEvent(event, received_at_ms)


def test_what_came_after_the_border_may_be_sent_again_with_its_time_before_it(database, project_id, border_ms):
    """As clients do after PostgreSQL was restored from a backup (docs/runbook.md)."""
    EventStore().store(database, [received(project_id, border_ms + 50)])
    again = timed(project_id, border_ms - 50, border_ms + 48 * HOUR_MS)
    assert EventStore().store(database, [again]) == (0, [])
    assert assert_rollups_equal_a_recount(database) == 1


def test_a_key_that_is_used_again_for_a_later_time_is_another_event(database, project_id, border_ms):
    for at_ms in (border_ms - 1, border_ms):
        assert EventStore().store(database, [timed(project_id, at_ms, at_ms)]).new == 1
