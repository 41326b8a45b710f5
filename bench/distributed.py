"""One PostgreSQL beside a Citus coordinator with two nodes, all on this machine: rows a second, and answers."""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import urlsplit, urlunsplit

import psycopg

from app.core.analytics.usage import project_usage
from app.core.database import Connection, connect
from app.core.migrations import migrate
from app.core.migrations.distribution import distribute
from app.core.queries.projects import insert_project
from app.core.rollups.time_range import answerable_range
from app.local.citus import open_cluster, why_not_here
from bench.events import draw_buffered_events
from bench.history import DAYS, store_history
from bench.report import Figure
from bench.schedule import Schedule
from bench.stand import Stand
from worker.fold import fold_project
from worker.store import EventStore, ReceivedEvent

BATCH = 5_000
BATCHES = 4
HISTORY_EVENTS = 100_000
READS = 60
DATABASE = "bench_beside_citus"
CREATE_DATABASE = f"CREATE DATABASE {DATABASE}"
ONE = "one PostgreSQL"
STATEMENT_TIMEOUT_MS = 60_000


@dataclass
class Distributed:
    """Rows a second, folds included, and milliseconds of the 95th percentile, round by round; [0] is one PostgreSQL."""

    rows_per_second: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    read_ms: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))


def measure_distributed(stand: Stand, schedule: Schedule) -> Distributed | str:
    """Why it cannot be measured, where it cannot. No other process of the stand should be at work."""
    if reason := why_not_here():
        return reason
    measured = Distributed()
    with _databases(stand) as connections:
        projects = [insert_project(connection, "drain") for connection in connections]
        histories = [insert_project(connection, "history") for connection in connections]
        for connection, history in zip(connections, histories, strict=True):
            store_history(connection, history, HISTORY_EVENTS, datetime.now(UTC))
        for number in range(schedule.peer_rounds):
            for place in (0, 1) if number % 2 else (1, 0):
                measured.rows_per_second[place].append(_drain(connections[place], projects[place], Random(number)))
                measured.read_ms[place].append(_read(connections[place], histories[place]))
    return measured


@contextmanager
def _databases(stand: Stand) -> Iterator[list[Connection]]:
    """One in the PostgreSQL of the stand, one that is distributed."""
    url = urlunsplit(urlsplit(stand.postgres.url)._replace(path=f"/{DATABASE}"))
    with psycopg.connect(stand.postgres.url, autocommit=True) as connection:
        connection.execute(CREATE_DATABASE)
    with open_cluster(stand.folder / "citus", stand.guard, durable=True) as cluster, ExitStack() as stack:
        urls = [url, cluster.make_database()]
        connections = []
        for each in urls:
            migrate(each)
            connections.append(
                stack.enter_context(connect(each, application_name="bench", statement_timeout_ms=STATEMENT_TIMEOUT_MS))
            )
        distribute(connections[1])
        yield connections


def _drain(connection: Connection, project_id: int, random: Random) -> float:
    """What a worker does with entries, without Redis: a first batch makes what is made once, and does not count."""
    store, now_ms = EventStore(), time.time_ns() // 1_000_000
    events = [ReceivedEvent(event, now_ms) for event in draw_buffered_events((BATCHES + 1) * BATCH, project_id, random)]
    store.store(connection, events[:BATCH])
    began_at = time.monotonic()
    for start in range(BATCH, len(events), BATCH):
        store.store(connection, events[start : start + BATCH])
    fold_project(connection, project_id)
    return BATCHES * BATCH / (time.monotonic() - began_at)


def _read(connection: Connection, project_id: int) -> float:
    """The 95th percentile of a project's 30 days, in ms."""
    now = datetime.now(UTC)
    time_range, taken_ms = answerable_range(now - timedelta(days=DAYS), now, now), []
    for _ in range(READS):
        began_at = time.monotonic()
        project_usage(connection, project_id, time_range, "day")
        taken_ms.append(1_000 * (time.monotonic() - began_at))
    return statistics.quantiles(taken_ms, n=20)[-1]


def distributed_figures(measured: Distributed) -> list[Figure]:
    (one_rows, rows), (one_ms, read_ms) = measured.rows_per_second, measured.read_ms
    return [
        Figure("drain into Citus, a coordinator and two nodes", "rows/s", rows, one_rows, ONE),
        Figure("read of a project, 30 days, Citus, p95", "ms", read_ms, one_ms, ONE),
    ]
