"""The way out of the buffer: rows a second of one worker process and of two, beside a raw COPY of the same rows."""

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psycopg
import redis

from app.core.stream.events import Event, encode_event
from app.core.stream.state import GROUP, STREAM
from app.local.errors import CannotRun
from app.web.wake import worker_waker
from bench.cpu import CpuLog, cpu_figures
from bench.events import draw_buffered_events
from bench.load_generator import Source, run_load, think_ms_for
from bench.memory import MemoryLog
from bench.pace import EVENTS_A_MONTH, SECONDS_A_MONTH
from bench.report import Figure, Target
from bench.schedule import Schedule
from bench.stand import Stand

FILLING = "bench:filling"
PIPELINED = 1_000
ROWS_PER_COPY = 5_000
LOOK_SECONDS = 0.005
FOLD_LOOK_SECONDS = 1.0
STALLED_SECONDS = 60.0

CREATE_COPY_TARGET = "CREATE TABLE IF NOT EXISTS bench_copy (LIKE events)"
TRUNCATE_COPY_TARGET = "TRUNCATE bench_copy"
COPY_IN = "COPY bench_copy FROM STDIN (FORMAT BINARY)"
COPY_TYPES = ("int4", "date", "uuid", "int8", "timestamptz", "timestamptz", "numeric", "numeric", "numeric")
SELECT_ROWS = """
SELECT project_id, day, event_id, version_key, occurred_at, received_at, latency_ms, cost_usd, score
FROM events LIMIT %(rows)s
"""

CHECKPOINT = "CHECKPOINT"

SELECT_SIZES = """
SELECT pg_current_wal_lsn() - '0/0'::pg_lsn,
       (SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_partition_tree('events')),
       (SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_partition_tree('rollups'))
"""

MAKE_FOLDS_DUE = "UPDATE rollup_additions SET added_at = added_at - interval '1 hour'"
IS_FOLDED = "SELECT NOT EXISTS (SELECT FROM rollup_additions)"


@dataclass
class Drained:
    """Rows a second, and bytes of PostgreSQL for each event, round by round."""

    one_worker: list[float] = field(default_factory=list)
    two_workers: list[float] = field(default_factory=list)
    copied: list[float] = field(default_factory=list)
    wal_bytes: list[float] = field(default_factory=list)
    steady_wal_bytes: list[float] = field(default_factory=list)
    event_bytes: list[float] = field(default_factory=list)
    rollup_bytes: int = 0
    cpu: CpuLog = field(default_factory=lambda: CpuLog({}))

    @property
    def per_second(self) -> float:
        """The median of one worker."""
        return statistics.median(self.one_worker)


def measure_drain(stand: Stand, schedule: Schedule, project_id: int, memory: MemoryLog, cpu: CpuLog) -> Drained:
    """One worker, a COPY of the same rows and two workers in turn. One worker must be running, whose `cpu` it logs."""
    drained = Drained(cpu=cpu)
    random = Random(1)
    count = schedule.drain_events
    with psycopg.connect(stand.postgres.url, autocommit=True) as connection:
        # What is made once must not count: partitions, versions, the worker's caches.
        _drain(stand, count // 10, project_id, random, workers=1)
        for _ in range(schedule.rounds):
            before = _sizes(connection)
            drained.one_worker.append(_drain(stand, count, project_id, random, workers=1, cpu=cpu))
            memory.look()
            after = _sizes(connection)
            drained.wal_bytes.append((after[0] - before[0] + _fold(stand, connection)) / count)
            drained.event_bytes.append((after[1] - before[1]) / count)
            drained.rollup_bytes = after[2]
            drained.copied.append(_copy(connection, count))
            second = stand.start_worker("bench-2")
            drained.two_workers.append(_drain(stand, count, project_id, random, workers=2))
            second.child.stop()
    return drained


def measure_steady_trickle(stand: Stand, schedule: Schedule, source: Source, drained: Drained, cpu: CpuLog) -> None:
    """What an event of a billion a month costs, which come in small batches. A worker must be running.

    It begins with nothing to fold and a checkpoint, after which PostgreSQL logs each page whole once; all that came is
    folded at its end.
    """
    rate = EVENTS_A_MONTH / SECONDS_A_MONTH
    with psycopg.connect(stand.postgres.url, autocommit=True) as connection:
        _wait_until_empty(stand.redis)
        _fold(stand, connection)
        connection.execute(CHECKPOINT)
        before = _sizes(connection)
        cpu.begin()
        load = run_load(stand.guard, source, schedule.steady_seconds, think_ms=think_ms_for(rate))
        _wait_until_empty(stand.redis)
        logged = _sizes(connection)[0] - before[0] + _fold(stand, connection)
        cpu.end(load.requests)
        drained.steady_wal_bytes.append(logged / load.requests)


def drain_figures(drained: Drained, accepted_per_second: float) -> list[Figure]:
    """Rows of the table. `accepted_per_second`: single events that the web process takes."""
    accepted = [accepted_per_second] * len(drained.one_worker)
    rows = drained.one_worker
    return [
        Figure("drain, one worker", "rows/s", rows, drained.copied, "raw COPY", Target("ratio", "at least", 0.15)),
        Figure("drain, one worker", "rows/s", rows, accepted, "single events in", Target("ratio", "at least", 4)),
        Figure(
            "drain, two workers", "rows/s", drained.two_workers, rows, "one worker", Target("ratio", "at least", 1.7)
        ),
        *cpu_figures("an event in the drain of one worker", drained.cpu, {}),
        Figure("PostgreSQL, events and their key", "bytes/event", drained.event_bytes),
        Figure("PostgreSQL, write-ahead log of a backlog", "bytes/event", drained.wal_bytes, target=_at_most(450)),
        Figure(
            "PostgreSQL, write-ahead log of a steady trickle",
            "bytes/event",
            drained.steady_wal_bytes,
            target=_at_most(1_400),
        ),
    ]


def _at_most(bytes_an_event: float) -> Target:
    return Target("value", "at most", bytes_an_event)


def _fold(stand: Stand, connection: psycopg.Connection[Any]) -> int:
    """Have the worker fold all that was added, without the wait; returns the bytes that this logs."""
    connection.execute(MAKE_FOLDS_DUE)
    before = _sizes(connection)[0]
    wake_worker, deadline = worker_waker(stand.redis), time.monotonic() + STALLED_SECONDS
    while connection.execute(IS_FOLDED).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise CannotRun("the worker folds nothing")
        wake_worker()
        time.sleep(FOLD_LOOK_SECONDS)
    return _sizes(connection)[0] - before


def _drain(
    stand: Stand, count: int, project_id: int, random: Random, *, workers: int, cpu: CpuLog | None = None
) -> float:
    events = draw_buffered_events(count, project_id, random)
    return drained_per_second(stand, events, count, workers=workers, cpu=cpu)


def drained_per_second(
    stand: Stand, events: Iterable[Event], count: int, *, workers: int, cpu: CpuLog | None = None
) -> float:
    """Fill the buffer while no worker sees it, then give it to the workers at once; returns rows a second."""
    with stand.redis.pipeline(transaction=False) as pipeline:
        for number, event in enumerate(events, 1):
            pipeline.xadd(FILLING, {b"e": encode_event(event)})
            if number % PIPELINED == 0:
                pipeline.execute()
        pipeline.execute()
    stand.redis.xgroup_create(FILLING, GROUP, id="0")
    wake_worker = worker_waker(stand.redis)
    if cpu:
        cpu.begin()
    began_at = time.perf_counter()
    stand.redis.rename(FILLING, STREAM)
    # A drain ends after ten seconds even if there is more.
    for _ in range(2 * workers):
        wake_worker()
    _wait_until_empty(stand.redis)
    seconds = time.perf_counter() - began_at
    if cpu:
        cpu.end(count)
    return count / seconds


def _wait_until_empty(client: redis.Redis) -> None:
    depth, deadline = client.xlen(STREAM), time.monotonic() + STALLED_SECONDS
    while depth:
        time.sleep(LOOK_SECONDS)
        now = client.xlen(STREAM)
        if now < depth:
            depth, deadline = now, time.monotonic() + STALLED_SECONDS
        elif time.monotonic() > deadline:
            raise CannotRun(f"the drain stands still with {depth} events in the buffer")


def _sizes(connection: psycopg.Connection[Any]) -> tuple[int, int, int]:
    """Write-ahead log so far, events with their index, rollups with theirs: in bytes."""
    row = connection.execute(SELECT_SIZES).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])


def _copy(connection: psycopg.Connection[Any], count: int) -> float:
    """Rows a second of what PostgreSQL and psycopg can do: rows that are at hand, a commit for each batch."""
    rows = connection.execute(SELECT_ROWS, {"rows": count}).fetchall()
    connection.execute(CREATE_COPY_TARGET)
    connection.execute(TRUNCATE_COPY_TARGET)
    began_at = time.perf_counter()
    for start in range(0, count, ROWS_PER_COPY):
        with connection.cursor() as cursor, cursor.copy(COPY_IN) as copy:
            copy.set_types(COPY_TYPES)
            for row in rows[start : start + ROWS_PER_COPY]:
                copy.write_row(row)
    return count / (time.perf_counter() - began_at)
