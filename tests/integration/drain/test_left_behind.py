"""What cannot be stored now stays in the buffer, and keeps nothing else there."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from app.core.database import Connection
from app.core.errors import DatabaseTooSlow, DatabaseUnavailable, RowsLocked
from app.core.queries.partitions import partition_name
from app.core.stream.buffer import EventBuffer
from app.core.stream.consumers import marked
from app.core.stream.events import Event
from app.core.stream.state import GROUP, STREAM
from tests.drains import an_event, append_many, drain_with, open_connection, run_drain
from tests.integration.drain.test_interruptions import age_pending_entries
from tests.recount import assert_rollups_equal_a_recount
from tests.waiting import wait_until
from worker.claims import claims_kept
from worker.store import EventStore, ReceivedEvent, StoreReport

LONG_AGO_MS = 1_790_000_000_000
LONG_AGO = partition_name(datetime(2026, 9, 21, tzinfo=UTC).date())


@pytest.fixture
def other_project_id(database: Connection, project_id: int) -> int:
    row = database.execute("INSERT INTO projects (name) VALUES ('other') RETURNING id").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def stored_and_not_committed(event: Event, database_url: str) -> Iterator[None]:
    """Whoever stores the same event waits for what becomes of it."""
    with open_connection(database_url) as session, session.transaction(force_rollback=True):
        EventStore().store(session, [ReceivedEvent(event, LONG_AGO_MS)])
        yield


def pending(client) -> int:
    return int(client.xpending(STREAM, GROUP)["pending"])


def test_events_of_a_day_whose_partition_is_detached_keep_nothing_else_waiting(database, client, project_id):
    run_drain(database, client)
    of_that_day = an_event(project_id, 1)._replace(occurred_at_ms=LONG_AGO_MS)
    append_many(client, [of_that_day._replace(event_id=an_event(1).event_id)])
    assert run_drain(database, client).stored == 1
    database.execute(f"ALTER TABLE events DETACH PARTITION {LONG_AGO}")
    try:
        append_many(client, [an_event(project_id, seed) for seed in range(50)])
        append_many(client, [of_that_day])
        append_many(client, [an_event(project_id, seed) for seed in range(50)])
        report = run_drain(database, client)
        assert (report.stored, report.left, report.set_aside) == (100, 1, 0)
        assert client.xlen(STREAM) == 1
    finally:
        database.execute(f"DROP TABLE {LONG_AGO}")
    age_pending_entries(client)
    assert run_drain(database, client).stored == 1
    assert client.xlen(STREAM) == 0


def test_a_locked_row_holds_up_only_its_own_project(database, database_url, client, project_id, other_project_id):
    append_many(client, [an_event(project_id, 1)])
    run_drain(database, client)
    database.execute("SET lock_timeout = '200ms'")
    events = [an_event(project_id if seed % 2 else other_project_id, seed) for seed in range(400)]
    events[1] = events[1]._replace(occurred_at_ms=LONG_AGO_MS)
    with stored_and_not_committed(events[1], database_url):
        append_many(client, events)
        report = run_drain(database, client)
        assert (report.stored, report.left, report.held_up) == (200, 200, {project_id})
        append_many(client, [an_event(other_project_id)])
        assert run_drain(database, client).stored == 1
        assert client.xlen(STREAM) == pending(client) == 200
    age_pending_entries(client)
    assert run_drain(database, client).stored == 200
    assert assert_rollups_equal_a_recount(database) == 402


def test_a_drain_does_not_wait_again_for_a_project_that_is_locked(client):
    append_many(client, [an_event(1, seed) for seed in range(3)])
    tried = []

    def locked(batch: Sequence[ReceivedEvent]) -> StoreReport:
        tried.append({each.event.project_id for each in batch})
        if len(tried) == 1:
            append_many(client, [an_event(1), an_event(2)])
        if tried[-1] == {1}:
            raise RowsLocked("somebody else has locked what it needs")
        return StoreReport(len(batch), [])

    report = drain_with(client, locked)
    assert (report.stored, report.left) == (1, 4)
    assert tried == [{1}, {2}]


def test_entries_that_are_stuck_keep_no_new_ones_waiting(client):
    stuck = [an_event(1, seed) for seed in range(5)]
    append_many(client, stuck)
    assert len(EventBuffer(client).read_new("dead", 10)) == 5
    age_pending_entries(client)
    append_many(client, [an_event(2, seed) for seed in range(7)])
    stored: list[ReceivedEvent] = []

    def too_slow_for_the_stuck(batch: Sequence[ReceivedEvent]) -> StoreReport:
        if any(each.event in stuck for each in batch):
            raise DatabaseTooSlow("a statement ran into its timeout")
        stored.extend(batch)
        return StoreReport(len(batch), [])

    report = drain_with(client, too_slow_for_the_stuck)
    assert (report.stored, report.left, report.emptied) == (7, 5, True)
    assert pending(client) == 5


def test_no_more_is_tried_when_nothing_gets_through(client):
    append_many(client, [an_event(1, seed) for seed in range(64)])
    sizes = []

    def too_slow(batch: Sequence[ReceivedEvent]) -> StoreReport:
        sizes.append(len(batch))
        raise DatabaseTooSlow("a statement ran into its timeout")

    assert drain_with(client, too_slow).left == 64
    assert sizes == [64, 32, 16, 8, 4, 2, 1, 1]
    assert pending(client) == 64


def test_what_was_stored_before_a_server_was_lost_is_acknowledged(database, client, project_id):
    append_many(client, [an_event(project_id, seed) for seed in range(8)])
    store, sizes = EventStore(), []

    def slow_then_lost(batch: Sequence[ReceivedEvent]) -> StoreReport:
        sizes.append(len(batch))
        if len(sizes) == 1:
            raise DatabaseTooSlow("a statement ran into its timeout")
        if len(sizes) == 3:
            raise DatabaseUnavailable("connection lost")
        return store.store(database, batch)

    with pytest.raises(DatabaseUnavailable):
        drain_with(client, slow_then_lost)
    assert sizes == [8, 4, 4]
    assert client.xlen(STREAM) == pending(client) == 4


def test_a_batch_that_takes_long_is_not_done_again_by_another_worker(client):
    append_many(client, [an_event(1, seed) for seed in range(3)])
    buffer = EventBuffer(client)
    ids = [entry.entry_id for entry in buffer.read_new("slow", 10)]
    age_pending_entries(client)
    with claims_kept(buffer, "slow", ids, renew_seconds=0.05):
        wait_until(lambda: all(each["time_since_delivered"] < 5_000 for each in claims(client)))
        assert drain_with(client, lambda batch: StoreReport(len(batch), [])).stored == 0
    assert {each["consumer"] for each in claims(client)} == {marked("slow").encode()}
    assert not [each for each in threading.enumerate() if each.name.startswith("claims")]


def claims(client):
    return client.xpending_range(STREAM, GROUP, "-", "+", 100)


def test_a_partition_that_has_gone_is_made_again(database, client, project_id):
    store = EventStore()
    store.store(database, [ReceivedEvent(an_event(project_id), LONG_AGO_MS)])
    database.execute(f"DROP TABLE {LONG_AGO}")
    assert store.store(database, [ReceivedEvent(an_event(project_id), LONG_AGO_MS)]).new == 1


def test_a_day_that_another_partition_holds_needs_none_of_its_own(database, client, project_id):
    store = EventStore()
    day = datetime(2025, 3, 1, tzinfo=UTC)
    database.execute("CREATE TABLE archive_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')")
    try:
        received = ReceivedEvent(an_event(project_id), int((day + timedelta(hours=3)).timestamp()) * 1_000)
        assert store.store(database, [received]).new == 1
        assert database.execute("SELECT count(*) FROM archive_2025").fetchone() == (1,)
    finally:
        database.execute("DROP TABLE archive_2025")
