"""Drains that crash, stop, meet a lost server or each other."""

import itertools
import threading
from collections.abc import Sequence
from typing import Any

import pytest
import redis

from app.core.errors import RedisUnavailable
from app.core.redis_client import connect as connect_redis
from app.core.stream.buffer import EventBuffer
from app.core.stream.events import encode_event
from app.core.stream.state import GROUP, READ_SIZE, STREAM
from tests.drains import an_event, append_many, drain_with, open_connection, run_drain
from tests.recount import assert_rollups_equal_a_recount
from worker.drain import BATCH_SIZE, STALE_AFTER_MS
from worker.set_aside import DrainReport
from worker.store import ReceivedEvent, StoreReport


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
