"""What a long snapshot (a dump, a psql session left open) does to the rollups and additions beside it.

`python -m bench.snapshot_bloat [MINUTES]`: PostgreSQL of its own on 127.0.0.1, a trickle of 400 events a second over
500 versions in five commits a second, as the drain makes them, for so many minutes (3 unless told) without a snapshot,
with one, and after it. Events, rollups and the dashboard's question are the service's own.
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import psycopg

from app.core.analytics.usage import project_usage
from app.core.database import BEGIN_SNAPSHOT, Connection, connect
from app.core.queries.partitions import ensure_coming_partitions
from app.core.queries.projects import insert_project
from app.core.rollups.grains import floor_to
from app.core.rollups.time_range import TimeRange
from app.core.stream.events import Event, new_event_id
from bench.events import draw_samples
from bench.stand import open_stand
from worker.fold import fold
from worker.runner import FOLD_INTERVAL_SECONDS
from worker.store import EventStore, ReceivedEvent

MINUTES = 3.0
LONGEST_MINUTES = 10.0
EVENTS_A_SECOND = 400
COMMITS_A_SECOND = 5
LOOK_SECONDS = 1.0
STATEMENT_TIMEOUT_MS = 60_000
MEGABYTE = 1_000_000
SELECT_SIZE = """
SELECT sum(pg_total_relation_size(relid)), sum(n_dead_tup)
FROM pg_stat_user_tables
WHERE relname = ANY (%(tables)s)
"""
TABLES = ("rollup_additions", "rollups_minute", "rollups_hour", "rollups_day")


@dataclass
class Phase:
    """What was seen while one phase went on."""

    name: str
    minutes: float
    events: int = 0
    grown_mb: float = 0.0
    size_mb: float = 0.0
    dead_rows: int = 0
    reads_ms: list[float] = field(default_factory=list)

    def row(self) -> str:
        """A row of the table in Markdown."""
        p95_ms = sorted(self.reads_ms)[-(len(self.reads_ms) // 20 + 1)]
        return (
            f"| {self.name} | {self.events / self.minutes / 60:.0f} | {self.grown_mb / self.minutes:.1f} "
            f"| {self.size_mb:.0f} | {self.dead_rows:,} | {statistics.median(self.reads_ms):.0f} | {p95_ms:.0f} |"
        )


class Trickle:
    """The events of one project, stored and folded as the worker does it, and its dashboard's question in between."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        ensure_coming_partitions(connection, datetime.now(UTC).date())
        self._project_id = insert_project(connection, "bench")
        self._store = EventStore()
        self._random = Random(1)

    def run(self, name: str, minutes: float) -> Phase:
        """Store events at the pace, and ask once a second."""
        phase = Phase(name, minutes)
        size_before, _ = self._size()
        began_at = time.monotonic()
        asked_at = folded_at = began_at
        for number in range(int(minutes * 60 * COMMITS_A_SECOND)):
            time.sleep(max(0.0, began_at + number / COMMITS_A_SECOND - time.monotonic()))
            phase.events += self._store_batch()
            if time.monotonic() - asked_at >= LOOK_SECONDS:
                asked_at = time.monotonic()
                phase.reads_ms.append(self._ask_ms())
            if time.monotonic() - folded_at >= FOLD_INTERVAL_SECONDS:
                folded_at = time.monotonic()
                fold(self._connection, {}, clock=time.monotonic, should_stop=lambda: False)
        phase.minutes = (time.monotonic() - began_at) / 60
        size, phase.dead_rows = self._size()
        phase.grown_mb, phase.size_mb = size - size_before, size
        return phase

    def vacuum(self) -> tuple[float, int]:
        """What autovacuum would do next; the megabytes and dead rows that are left."""
        for table in TABLES:
            self._connection.execute(f"VACUUM {table}".encode())
        return self._size()

    def _store_batch(self) -> int:
        now_ms = time.time_ns() // 1_000_000
        batch = [
            ReceivedEvent(Event(new_event_id(), self._project_id, *sample), now_ms)
            for sample in draw_samples(EVENTS_A_SECOND // COMMITS_A_SECOND, self._random)
        ]
        return self._store.store(self._connection, batch).new

    def _ask_ms(self) -> float:
        end = floor_to("minute", datetime.now(UTC)) + timedelta(minutes=1)
        began_at = time.perf_counter()
        with self._connection.transaction():
            self._connection.execute(BEGIN_SNAPSHOT)
            last_hour = TimeRange(end - timedelta(hours=1), end, "minute")
            project_usage(self._connection, self._project_id, last_hour, "minute")
        return (time.perf_counter() - began_at) * 1_000

    def _size(self) -> tuple[float, int]:
        row = self._connection.execute(SELECT_SIZE, {"tables": list(TABLES)}).fetchone()
        assert row is not None
        return float(row[0]) / MEGABYTE, int(row[1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float, nargs="?", default=MINUTES)
    minutes = min(parser.parse_args(arguments).minutes, LONGEST_MINUTES)
    with (
        open_stand() as stand,
        connect(stand.postgres.url, application_name="bench", statement_timeout_ms=STATEMENT_TIMEOUT_MS) as connection,
    ):
        trickle = Trickle(connection)
        trickle.run("warming up", minutes / 6)
        phases = []
        for name, holder in (("without", nullcontext()), ("beside a snapshot", _snapshot(stand.postgres.url))):
            with holder:
                phases.append(trickle.run(name, minutes))
        size_mb, dead_rows = trickle.vacuum()
        phases.append(trickle.run("after it, vacuumed", minutes))
    print("| | events/s | growth, MB/min | size, MB | dead rows | read, median ms | read, p95 ms |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(phase.row() for phase in phases))
    print(f"\nVacuum after the snapshot: {phases[1].size_mb:.0f} MB -> {size_mb:.0f} MB, {dead_rows:,} dead rows left.")


@contextmanager
def _snapshot(url: str) -> Iterator[None]:
    """As pg_dump holds it: one transaction that sees one moment."""
    with psycopg.connect(url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SELECT count(*) FROM rollups")
        yield


if __name__ == "__main__":
    main()
