"""What export and import take: seconds, CPU and memory, for as many events as you like.

`python -m bench.transfer [EVENTS] [DAYS] [--age DAYS] [--without-import]`: PostgreSQL of its own on 127.0.0.1 with so
many events (2 million unless told) of 500 versions, spread over so many days (4) up to a day ago (or `--age` days),
exported in each format and imported into an empty database. Rollups of hours stand beside them, with the sums that an
export checks and nothing else. Of the last seven days an import makes rollups of minutes, too.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import psycopg

from app.core.database import Connection, connect
from app.core.migrations import migrate
from app.core.queries.dimensions import Version
from app.core.queries.imported_versions import insert_versions_as_of
from app.core.queries.partitions import ensure_partitions
from app.core.queries.projects import insert_project
from app.core.transfer.manifest import FORMATS
from bench.stand import open_stand

EVENTS = 2_000_000
DAYS = 4
PROMPTS, VERSIONS_PER_PROMPT = 100, 5
STATEMENT_TIMEOUT_MS = 3_600_000
LOOK_SECONDS = 0.1
MEGABYTE = 1_000_000
PROJECT = "bench"
SECRET_KEY = "bench-only-" + "0123456789abcdef" * 2

FILL_DAY = """
INSERT INTO events (project_id, day, event_id, version_key, occurred_at, received_at, latency_ms, cost_usd, score)
SELECT %(project_id)s, %(day)s, gen_random_uuid(),
       (SELECT min(id) FROM prompt_versions) + floor(random() * %(versions)s)::integer,
       moment.at, moment.at + interval '5 milliseconds',
       round((400 * exp(random() + random()))::numeric, 1), round((random() * 0.02)::numeric, 6),
       CASE WHEN random() < 0.5 THEN round(random()::numeric, 2) END
FROM generate_series(0, %(events)s - 1) AS number
CROSS JOIN LATERAL (
    SELECT %(day)s::date::timestamp AT TIME ZONE 'UTC'
           + date_trunc('milliseconds', number * interval '1 day' / %(events)s)
) AS moment (at)
"""
COUNT_HOURS = """
INSERT INTO rollups (
    project_id, prompt_key, version_key, grain, bucket_start, events,
    latency_count, latency_sum, latency_sum_squares, latency_log_sum, latency_log_sum_squares, latency_histogram,
    cost_count, cost_sum, cost_sum_squares, score_count, score_sum, score_sum_squares
)
SELECT project_id, 0, 0, 'hour', date_trunc('hour', occurred_at, 'UTC'), count(*),
       count(latency_ms), sum(latency_ms), 0, 0, 0, '', count(cost_usd), sum(cost_usd), 0, count(score), sum(score), 0
FROM events
GROUP BY project_id, date_trunc('hour', occurred_at, 'UTC')
"""
LONGEST_TRANSACTION = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8
FROM pg_stat_activity
WHERE application_name = 'pa-command' AND backend_xmin IS NOT NULL
"""


@dataclass
class Took:
    """What a command took. `snapshot_seconds`: how long its longest transaction held one."""

    name: str
    seconds: float
    cpu_seconds: float
    memory_mb: float
    snapshot_seconds: float = 0.0
    size_mb: float = 0.0

    def row(self, events: int) -> str:
        """A row of the table in Markdown."""
        size = f"{self.size_mb * MEGABYTE / events:.0f}" if self.size_mb else ""
        return (
            f"| {self.name} | {self.seconds:.0f} | {events / self.seconds:,.0f} | {self.cpu_seconds:.0f} "
            f"| {self.memory_mb:.0f} | {self.snapshot_seconds:.1f} | {size} |"
        )


def fill(connection: Connection, events: int, days: int, *, age: int = 1) -> None:
    """So many days, up to that many ago, each with its share."""
    project_id = insert_project(connection, PROJECT)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    ensure_partitions(connection, (today - timedelta(days=days + age)).date(), today.date())
    versions = {
        Version(project_id, UUID(int=prompt), f"{prompt:032x}{version:08x}"): today - timedelta(days=days + age)
        for prompt in range(PROMPTS)
        for version in range(VERSIONS_PER_PROMPT)
    }
    insert_versions_as_of(connection, versions)
    for day in range(age, age + days):
        parameters = {
            "project_id": project_id,
            "day": (today - timedelta(days=day)).date(),
            "versions": len(versions),
            "events": events // days,
        }
        connection.execute(FILL_DAY, parameters)
    connection.execute(COUNT_HOURS)
    connection.execute("ANALYZE")


def run(url: str, name: str, *arguments: str) -> Took:
    """Run a command on a database, in a process of its own."""
    environment = {**os.environ, "DATABASE_URL": url, "REDIS_URL": "redis://127.0.0.1:1", "SECRET_KEY": SECRET_KEY}
    began_at = time.monotonic()
    with _longest_snapshot(url) as longest:
        process = subprocess.Popen([sys.executable, "-m", "app", *arguments], env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{name} failed")
    seconds = time.monotonic() - began_at
    return Took(name, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1_024 / MEGABYTE, max(longest))


@contextmanager
def _longest_snapshot(url: str) -> Iterator[list[float]]:
    """How long the transaction of the command has lasted, look by look."""
    looks, ended = [0.0], threading.Event()

    def look() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not ended.wait(LOOK_SECONDS):
                found = connection.execute(LONGEST_TRANSACTION).fetchone()
                assert found is not None
                looks.append(found[0])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield looks
    finally:
        ended.set()
        thread.join()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=int, nargs="?", default=EVENTS)
    parser.add_argument("days", type=int, nargs="?", default=DAYS)
    parser.add_argument("--age", type=int, default=1)
    parser.add_argument("--without-import", action="store_true")
    asked = parser.parse_args(arguments)
    took = []
    with open_stand() as stand, tempfile.TemporaryDirectory() as folder:
        url = stand.postgres.url
        with connect(url, application_name="bench", statement_timeout_ms=STATEMENT_TIMEOUT_MS) as connection:
            fill(connection, asked.events, asked.days, age=asked.age)
            connection.execute("CREATE DATABASE empty")
        empty = urlunsplit(urlsplit(url)._replace(path="/empty"))
        migrate(empty)
        for of_format in FORMATS:
            out = Path(folder) / of_format
            took.append(
                run(
                    url,
                    f"export, {of_format}",
                    *("export", "--project", PROJECT),
                    f"--format={of_format}",
                    f"--out={out}",
                )
            )
            took[-1].size_mb = sum(path.stat().st_size for path in out.iterdir()) / MEGABYTE
        names = () if asked.without_import else ("import, parquet", "the same again")
        took += [run(empty, name, "import", "--project", PROJECT, f"{folder}/parquet") for name in names]
    print(f"{asked.events:,} events of {asked.days} days")
    print("| | s | events/s | CPU, s | memory, MB | longest snapshot, s | bytes an event |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(each.row(asked.events) for each in took))


if __name__ == "__main__":
    main()
