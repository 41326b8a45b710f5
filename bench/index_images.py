"""What a checkpoint costs: the pages of the events' index that PostgreSQL logs whole after it, in bytes an event.

`python -m bench.index_images [ROWS]`: PostgreSQL of its own on 127.0.0.1, a day's events of one project with their
primary key, as many as told (20 million, unless told). Then a checkpoint, and five minutes of a billion events a month
in commits of 77: once with ids that begin with their hour, as Idempotency-Keys give them, once with ids in no order.
The hour is nearly over, which is its worst moment. PostgreSQL's pg_waldump says what was logged.
"""

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from app.local.binaries import find_postgres
from bench.pace import EVENTS_A_MONTH, SECONDS_A_MONTH
from bench.stand import open_stand

ROWS = 20_000_000
EVENTS_A_COMMIT = 77
MINUTES_BETWEEN_CHECKPOINTS = 5

# What was filled in is no part of the measurement: the log of it need not be kept, and no checkpoint may come between.
SETTINGS = ("max_wal_size = '64GB'", "checkpoint_timeout = '1d'", "maintenance_work_mem = '1GB'")
DROP_EVENTS = "DROP TABLE IF EXISTS bench_events"
CREATE_EVENTS = "CREATE TABLE bench_events (LIKE events)"
INSERT_EVENTS = """
INSERT INTO bench_events (project_id, day, event_id, version_key, occurred_at, received_at, latency_ms, cost_usd, score)
SELECT 1, date '2026-01-01',
       (CASE WHEN %(by_hour)s THEN lpad(to_hex(490000 + hour), 6, '0') ELSE substr(random_id, 1, 6) END
        || substr(random_id, 7))::uuid,
       1 + number %% 500, now(), now(), 812.4, 0.004271, 0.5
FROM generate_series(1, %(count)s::bigint) AS number,
     LATERAL (SELECT number * %(hours)s / (%(count)s::bigint + 1) + %(first_hour)s AS hour,
                     replace(gen_random_uuid()::text, '-', '') AS random_id) AS drawn
"""
ADD_KEY = "ALTER TABLE bench_events ADD PRIMARY KEY (project_id, day, event_id)"
CHECKPOINT = "CHECKPOINT"
SELECT_POSITION = "SELECT pg_current_wal_flush_lsn()::text"
SELECT_LOG_FOLDER = "SELECT current_setting('data_directory') || '/pg_wal'"


def measure(connection: psycopg.Connection[Any], rows: int, *, by_hour: bool) -> tuple[float, float]:
    """Bytes of whole pages of the index, and of everything, for each event. Takes minutes and 200 bytes a row."""
    an_hour = rows // 24
    connection.execute(DROP_EVENTS)
    connection.execute(CREATE_EVENTS)
    hours_before = {"by_hour": by_hour, "hours": 23, "first_hour": 0, "count": rows - an_hour}
    connection.execute(INSERT_EVENTS, hours_before)
    connection.execute(ADD_KEY)
    this_hour = {"by_hour": by_hour, "hours": 1, "first_hour": 23}
    connection.execute(INSERT_EVENTS, {**this_hour, "count": an_hour})
    connection.execute(CHECKPOINT)
    begin = _position(connection)
    events = round(EVENTS_A_MONTH / SECONDS_A_MONTH * 60 * MINUTES_BETWEEN_CHECKPOINTS)
    for _ in range(events // EVENTS_A_COMMIT):
        connection.execute(INSERT_EVENTS, {**this_hour, "count": EVENTS_A_COMMIT})
    end = _position(connection)
    row = connection.execute(SELECT_LOG_FOLDER).fetchone()
    assert row is not None
    images, everything = _logged(Path(row[0]), begin, end)
    stored = events // EVENTS_A_COMMIT * EVENTS_A_COMMIT
    return images / stored, everything / stored


def _position(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute(SELECT_POSITION).fetchone()
    assert row is not None
    return str(row[0])


def _logged(folder: Path, begin: str, end: str) -> tuple[int, int]:
    """Whole pages of B-trees, and all that was logged, in bytes: the last but one and the last figure of their rows."""
    program = find_postgres().folder / "pg_waldump"
    command = [str(program), "--path", str(folder), "--start", begin, "--end", end, "--stats"]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.replace("]", "").splitlines()
    figures = {
        words[0]: [int(word) for word in words[1:] if word.isdecimal()] for words in map(str.split, told) if words
    }
    return figures["Btree"][2], figures["Total"][3]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=ROWS)
    rows = parser.parse_args(arguments).rows
    print("| ids | index, whole pages, bytes an event | all that is logged, bytes an event |")
    print("|---|---|---|")
    with open_stand() as stand, psycopg.connect(stand.postgres.url, autocommit=True) as connection:
        for setting in SETTINGS:
            connection.execute(f"ALTER SYSTEM SET {setting}".encode())
        connection.execute("SELECT pg_reload_conf()")
        for by_hour, name in ((True, "that begin with their hour"), (False, "in no order")):
            images, everything = measure(connection, rows, by_hour=by_hour)
            print(f"| {name} | {images:,.0f} | {everything:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
