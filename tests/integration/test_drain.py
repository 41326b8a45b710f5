"""The drain on a real Redis and PostgreSQL: every event once, whatever happens in between."""

import itertools
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
import redis

from app.core.database import Connection, connect
from app.core.errors import DatabaseTooSlow, DatabaseUnavailable, PartitionMissing, RedisUnavailable
from app.core.queries.dead_letters import insert_dead_letter
from app.core.redis_client import connect as connect_redis
from app.core.stream.buffer import GROUP, STREAM, Entry, EventBuffer
from app.core.stream.events import Event, encode_event, new_event_id
from tests.recount import assert_rollups_equal_a_recount
from worker.drain import BATCH_SIZE, LINGER_SECONDS, READ_SIZE, STALE_AFTER_MS, DrainReport, drain
from worker.store import EventStore, ReceivedEvent, StoreReport, received_at

SLOW_BY_ROWS = """
CREATE FUNCTION wait_by_rows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_sleep(0.015); RETURN NULL; END
$$;
CREATE TRIGGER slow AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION wait_by_rows()
"""
PROMPTS = [UUID(int=number) for number in range(5)]


@pytest.fixture
def database(database_url: str, clean_database: None) -> Iterator[Connection]:
    with open_connection(database_url) as connection:
        connection.execute("INSERT INTO projects (name) OVERRIDING SYSTEM VALUE VALUES ('demo')")
        yield connection


@pytest.fixture
def client(redis_url: str, clean_redis: None) -> Iterator[redis.Redis]:
    client = connect_redis(redis_url, timeout_seconds=5)
    yield client
    client.close()


@pytest.fixture
def project_id(database: Connection) -> int:
    row = database.execute("SELECT id FROM projects").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def open_connection(url: str) -> Iterator[Connection]:
    with connect(url, application_name="test", statement_timeout_ms=20_000) as connection:
        yield connection


def an_event(project_id: int, seed: int = 0) -> Event:
    chance = random.Random(seed)
    return Event(
        new_event_id(),
        project_id,
        chance.choice(PROMPTS),
        f"v{chance.randrange(3)}",
        Decimal(f"{chance.lognormvariate(6, 1):.3f}") if chance.random() < 0.9 else None,
        Decimal(f"{chance.random():.12f}") if chance.random() < 0.9 else None,
        Decimal(f"{chance.uniform(-1, 1):.6f}") if chance.random() < 0.5 else None,
    )


def run_drain(connection: Connection, client: redis.Redis, consumer: str = "worker.1") -> DrainReport:
    store = EventStore()

    def set_aside(entry: Entry, reason: str) -> None:
        insert_dead_letter(connection, entry.entry_id, entry.payload, reason, received_at(entry))

    return drain(
        EventBuffer(client),
        lambda batch: store.store(connection, batch),
        set_aside,
        consumer=consumer,
        clock=time.monotonic,
        pause=lambda _seconds: None,
        should_stop=lambda: False,
        wait_ms=1,
    )


def append_many(client: redis.Redis, events: Sequence[Event]) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for event in events:
            pipeline.xadd(STREAM, {"e": encode_event(event)})
        pipeline.execute()


def test_it_stores_buffered_events_with_their_rollups_and_forgets_the_entries(database, client, project_id):
    append_many(client, [an_event(project_id, seed) for seed in range(200)])
    report = run_drain(database, client)
    assert (report.stored, report.repeated, report.set_aside, report.emptied) == (200, 0, 0, True)
    assert assert_rollups_equal_a_recount(database) == 200
    assert client.xlen(STREAM) == 0
    assert client.xpending(STREAM, GROUP)["pending"] == 0


def test_rollups_stay_exact_over_many_batches_and_compactions(database, client, project_id):
    store = EventStore()
    wide = random.Random(7)
    for _ in range(6):
        received = [
            ReceivedEvent(
                Event(new_event_id(), project_id, PROMPTS[0], "v", Decimal(f"{10 ** wide.uniform(-3, 9):.6f}")),
                1_790_000_000_000 + wide.randrange(3_600_000),
            )
            for _ in range(400)
        ]
        store.store(database, received)
    assert assert_rollups_equal_a_recount(database) == 2_400


def test_an_event_that_comes_twice_is_stored_and_counted_once(database, client, project_id):
    event = an_event(project_id)
    append_many(client, [event, event, an_event(project_id, 1)])
    assert run_drain(database, client).stored == 2
    append_many(client, [event])
    report = run_drain(database, client)
    assert (report.stored, report.repeated) == (0, 1)
    assert assert_rollups_equal_a_recount(database) == 2


def test_events_keep_every_digit_of_their_numbers(database, client, project_id):
    cost = "0.1234567890123456789012345678901234567890"
    append_many(
        client, [Event(new_event_id(), project_id, PROMPTS[0], "v", Decimal(0), Decimal(cost), Decimal("-0.5"))]
    )
    run_drain(database, client)
    rows = database.execute("SELECT latency_ms::text, cost_usd::text, score::text FROM events").fetchall()
    assert rows == [("0", cost, "-0.5")]


def test_received_at_is_the_time_of_the_entry(database, client, project_id):
    client.xadd(STREAM, {"e": encode_event(an_event(project_id))}, id="1790000000123-0")
    run_drain(database, client)
    rows = database.execute("SELECT received_at, occurred_at, day::text FROM events").fetchall()
    assert rows[0][0].isoformat() == "2026-09-21T14:13:20.123000+00:00"
    assert rows[0][1] == rows[0][0]
    assert rows[0][2] == "2026-09-21"


@pytest.mark.parametrize("payload", [b"", b"garbage", b"\x00\xff", b'[99, "of a later release"]'])
def test_an_entry_that_cannot_be_decoded_becomes_a_dead_letter_and_the_rest_is_stored(
    database, client, project_id, payload
):
    append_many(client, [an_event(project_id)])
    entry_id = client.xadd(STREAM, {"e": payload})
    append_many(client, [an_event(project_id, 1)])
    report = run_drain(database, client)
    assert (report.stored, report.set_aside) == (2, 1)
    rows = database.execute("SELECT entry_id, payload, reason, received_at FROM dead_letters").fetchall()
    assert [row[:2] for row in rows] == [(entry_id.decode(), payload)]
    assert rows[0][2]
    assert int(rows[0][3].timestamp() * 1000) == int(entry_id.split(b"-")[0])
    assert client.xlen(STREAM) == 0


def poisoned(project_id: int) -> bytes:
    """An entry that decodes well and that PostgreSQL refuses: text cannot hold NUL."""
    fields = orjson.loads(encode_event(an_event(project_id)))
    fields[4] = "v\x00"
    return orjson.dumps(fields)


def test_entries_that_postgresql_refuses_are_found_one_by_one(database, client, project_id):
    for position in range(100):
        bad = position in (0, 41, 42, 99)
        client.xadd(STREAM, {"e": poisoned(project_id) if bad else encode_event(an_event(project_id, position))})
    report = run_drain(database, client)
    assert (report.stored, report.set_aside) == (96, 4)
    assert assert_rollups_equal_a_recount(database) == 96
    assert database.execute("SELECT count(*) FROM dead_letters").fetchone() == (4,)


def test_an_event_of_a_project_that_does_not_exist_is_set_aside(database, client, project_id):
    append_many(client, [an_event(project_id), an_event(project_id + 1_000)])
    report = run_drain(database, client)
    assert (report.stored, report.set_aside) == (1, 1)


def test_an_entry_with_an_impossible_time_is_set_aside(database, client, project_id):
    client.xadd(STREAM, {"e": encode_event(an_event(project_id))}, id="18446744073709551614-1")
    assert run_drain(database, client).set_aside == 1
    assert client.xlen(STREAM) == 0


def test_a_lost_database_never_counts_against_an_entry(database, client, project_id):
    append_many(client, [an_event(project_id, seed) for seed in range(3)])
    attempts = []

    def lost(batch: Sequence[ReceivedEvent]) -> StoreReport:
        attempts.append(len(batch))
        raise DatabaseUnavailable("connection lost")

    with pytest.raises(DatabaseUnavailable):
        drain_with(client, lost)
    assert attempts == [3]
    assert client.xpending(STREAM, GROUP)["pending"] == 3
    assert database.execute("SELECT count(*) FROM dead_letters").fetchone() == (0,)


def test_a_batch_for_which_postgresql_is_too_slow_is_stored_by_halves(database, client, project_id):
    append_many(client, [an_event(project_id, seed) for seed in range(100)])
    database.execute(SLOW_BY_ROWS)
    database.execute("SET statement_timeout = '1s'")
    try:
        report = run_drain(database, client)
    finally:
        database.execute("DROP FUNCTION wait_by_rows CASCADE")
        database.execute("SET statement_timeout = '20s'")
    assert (report.stored, report.set_aside, report.batches, report.emptied) == (100, 0, 1, True)
    assert assert_rollups_equal_a_recount(database) == 100


def test_one_event_for_which_postgresql_is_too_slow_stays_in_the_buffer(client):
    append_many(client, [an_event(1, seed) for seed in range(3)])
    sizes = []

    def too_slow(batch: Sequence[ReceivedEvent]) -> StoreReport:
        sizes.append(len(batch))
        raise DatabaseTooSlow("a statement ran into its timeout")

    with pytest.raises(DatabaseTooSlow):
        drain_with(client, too_slow)
    assert sizes == [3, 1]
    assert client.xpending(STREAM, GROUP)["pending"] == 3


def test_what_was_read_before_redis_was_lost_is_stored(client, monkeypatch):
    append_many(client, [an_event(1, seed % 7) for seed in range(READ_SIZE + 5)])
    read_new = EventBuffer.read_new

    def lost(self, consumer, count, *, wait_ms=None):
        if wait_ms is None:
            raise RedisUnavailable("lost")
        return read_new(self, consumer, count, wait_ms=wait_ms)

    sizes = []

    def store(batch: Sequence[ReceivedEvent]) -> StoreReport:
        sizes.append(len(batch))
        return StoreReport(len(batch), [])

    with monkeypatch.context() as patch:
        patch.setattr(EventBuffer, "read_new", lost)
        assert drain_with(client, store).emptied
    assert sizes == [READ_SIZE, 5]


def drain_with(client, store, *, clock=time.monotonic, should_stop=lambda: False):
    def never(entry: Entry, reason: str) -> None:
        raise AssertionError(f"{entry} was set aside: {reason}")

    return drain(
        EventBuffer(client),
        store,
        never,
        consumer="worker.1",
        clock=clock,
        pause=lambda _seconds: None,
        should_stop=should_stop,
        wait_ms=1,
    )


def test_a_crash_between_commit_and_acknowledgement_stores_nothing_twice(database, client, project_id, monkeypatch):
    append_many(client, [an_event(project_id, seed) for seed in range(50)])

    def crash(self, entry_ids):
        raise RedisUnavailable("crashed after the commit")

    with monkeypatch.context() as patch:
        patch.setattr(EventBuffer, "acknowledge", crash)
        with pytest.raises(RedisUnavailable):
            run_drain(database, client)
    age_pending_entries(client)
    report = run_drain(database, client, consumer="worker.2")
    assert (report.stored, report.repeated) == (0, 50)
    assert assert_rollups_equal_a_recount(database) == 50
    assert client.xlen(STREAM) == 0


def age_pending_entries(client: redis.Redis) -> None:
    """Let the pending entries look as if their consumer had been silent for long enough."""
    pending = client.xpending_range(STREAM, GROUP, "-", "+", 100_000)
    ids: list[Any] = [row["message_id"] for row in pending]
    consumer: Any = pending[0]["consumer"]
    client.xclaim(STREAM, GROUP, consumer, 0, ids, idle=STALE_AFTER_MS + 1, justid=True)


def test_entries_of_a_dead_worker_are_taken_over_and_those_of_a_live_one_are_not(database, client, project_id):
    append_many(client, [an_event(project_id, seed) for seed in range(10)])
    buffer = EventBuffer(client)
    assert len(buffer.read_new("dead", 6)) == 6
    age_pending_entries(client)
    assert len(buffer.read_new("busy", 3)) == 3
    report = run_drain(database, client)
    assert report.stored == 7
    assert client.xpending(STREAM, GROUP)["pending"] == 3


def test_more_stale_entries_than_one_batch_are_all_taken_over(client, clean_redis):
    with client.pipeline(transaction=False) as pipeline:
        for seed in range(2 * BATCH_SIZE + 500):
            pipeline.xadd(STREAM, {"e": encode_event(an_event(1, seed % 7))})
        pipeline.execute()
    EventBuffer(client).read_new("dead", 3 * BATCH_SIZE)
    age_pending_entries(client)
    sizes: list[int] = []

    def store(batch: Sequence[ReceivedEvent]) -> StoreReport:
        sizes.append(len(batch))
        return StoreReport(len(batch), [])

    assert drain_with(client, store).emptied
    assert sum(sizes) == 2 * BATCH_SIZE + 500
    assert max(sizes) == BATCH_SIZE


def test_it_stops_between_two_batches_when_told_to(client):
    append_many(client, [an_event(1, seed % 7) for seed in range(BATCH_SIZE + 1)])
    stopped = []

    def store(batch: Sequence[ReceivedEvent]) -> StoreReport:
        stopped.append(True)
        return StoreReport(len(batch), [])

    report = drain_with(client, store, should_stop=lambda: bool(stopped))
    assert (report.batches, report.emptied) == (1, False)
    assert client.xlen(STREAM) == 1


def test_it_ends_when_its_time_is_up(client):
    append_many(client, [an_event(1, seed % 7) for seed in range(BATCH_SIZE + 1)])
    ticks = itertools.count(step=4.0)
    report = drain_with(client, lambda batch: StoreReport(len(batch), []), clock=lambda: next(ticks))
    assert (report.batches, report.emptied) == (1, False)


def test_it_goes_on_after_redis_lost_everything(database, client, project_id):
    append_many(client, [an_event(project_id)])
    run_drain(database, client)
    client.flushall()
    append_many(client, [an_event(project_id, 1)])
    assert run_drain(database, client).stored == 1


def test_it_still_runs_when_redis_is_full(database, client, project_id):
    append_many(client, [an_event(project_id, seed) for seed in range(2_000)])
    run_drain(database, client)
    append_many(client, [an_event(project_id, seed) for seed in range(2_000)])
    client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(redis.OutOfMemoryError):
            client.set("anything", "at all")
        assert run_drain(database, client).stored == 2_000
    finally:
        client.config_set("maxmemory", "0")


def test_two_drains_at_once_store_everything_once(database_url, database, redis_url, client, project_id):
    events = [an_event(project_id, seed) for seed in range(12_000)]
    append_many(client, events)
    append_many(client, events[:3_000])
    reports: list[DrainReport] = []

    def work(consumer: str) -> None:
        with open_connection(database_url) as connection:
            reports.append(run_drain(connection, connect_redis(redis_url, timeout_seconds=5), consumer))

    threads = [threading.Thread(target=work, args=(f"worker.{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.stored for report in reports) == 12_000
    assert assert_rollups_equal_a_recount(database) == 12_000
    assert client.xlen(STREAM) == 0


def drain_into(client, store, *, set_aside=lambda _entry, _reason: None, pause=lambda _seconds: None, wait_ms=1):
    return drain(
        EventBuffer(client),
        store,
        set_aside,
        consumer="worker.1",
        clock=time.monotonic,
        pause=pause,
        should_stop=lambda: False,
        wait_ms=wait_ms,
    )


def test_a_batch_that_is_not_full_lets_the_next_one_gather(client):
    append_many(client, [an_event(1, seed % 7) for seed in range(BATCH_SIZE + 1)])
    pauses: list[float] = []
    drain_into(client, lambda batch: StoreReport(len(batch), []), pause=pauses.append)
    assert pauses == [LINGER_SECONDS]


def test_an_event_that_comes_while_a_drain_waits_is_stored_by_it(database, client, project_id):
    buffer, store = EventBuffer(client), EventStore()
    timer = threading.Timer(0.3, lambda: buffer.append(an_event(project_id)))
    timer.start()
    report = drain_into(client, lambda batch: store.store(database, batch), wait_ms=2_000)
    timer.join()
    assert (report.stored, report.emptied) == (1, True)


def test_the_same_event_id_with_other_content_is_set_aside_and_the_first_stays(database, client, project_id):
    first = an_event(project_id)._replace(latency_ms=Decimal(1))
    second = first._replace(latency_ms=Decimal(2))
    append_many(client, [first])
    run_drain(database, client)
    append_many(client, [second])
    report = run_drain(database, client)
    assert (report.stored, report.repeated, report.set_aside) == (0, 0, 1)
    assert database.execute("SELECT latency_ms FROM events").fetchall() == [(1,)]
    assert database.execute("SELECT reason FROM dead_letters").fetchall() == [
        ("the Idempotency-Key was used before for an event with another body",)
    ]
    assert assert_rollups_equal_a_recount(database) == 1


def test_the_same_event_id_with_other_content_in_one_batch_is_set_aside_too(database, client, project_id):
    first = an_event(project_id)._replace(latency_ms=Decimal(1))
    append_many(client, [first, first._replace(latency_ms=Decimal(2)), first])
    report = run_drain(database, client)
    assert (report.stored, report.repeated, report.set_aside) == (1, 1, 1)
    assert database.execute("SELECT latency_ms FROM events").fetchall() == [(1,)]


def test_an_unforeseen_error_sets_one_entry_aside_and_not_the_others(database, client, project_id):
    events = [an_event(project_id, seed) for seed in range(9)]
    append_many(client, events)
    store, letters = EventStore(), []

    def fails_for_one(batch: Sequence[ReceivedEvent]) -> StoreReport:
        if any(received.event == events[4] for received in batch):
            raise ZeroDivisionError
        return store.store(database, batch)

    report = drain_into(client, fails_for_one, set_aside=lambda entry, reason: letters.append((entry.payload, reason)))
    assert (report.stored, report.set_aside) == (8, 1)
    assert letters == [(encode_event(events[4]), "unforeseen ZeroDivisionError")]


def test_a_replayed_entry_keeps_the_time_of_its_first_arrival(database, client, project_id):
    event = an_event(project_id)
    EventBuffer(client).append_again(encode_event(event), 1_790_000_000_123)
    EventBuffer(client).append_again(encode_event(event), 1_790_000_000_123)
    assert run_drain(database, client).stored == 1
    rows = database.execute("SELECT occurred_at, day::text FROM events").fetchall()
    assert rows[0][0].isoformat() == "2026-09-21T14:13:20.123000+00:00"
    assert rows[0][1] == "2026-09-21"


def test_a_partition_that_has_gone_is_no_reason_to_set_events_aside(database, client, project_id):
    store = EventStore()
    store.store(database, [ReceivedEvent(an_event(project_id), 1_790_000_000_000)])
    database.execute("DROP TABLE events_20260921")
    with pytest.raises(PartitionMissing):
        store.store(database, [ReceivedEvent(an_event(project_id), 1_790_000_000_000)])
    assert EventStore().store(database, [ReceivedEvent(an_event(project_id), 1_790_000_000_000)]).new == 1
