"""Tables that are locked, missing, or dropped by the upkeep."""

from datetime import UTC, datetime, timedelta

import psycopg

from app.core.queries.partitions import ensure_partitions
from chaos.events import last_midnight
from chaos.kills import kill
from chaos.scenarios.trial import Scenario, Trial

EVENTS = 300
OLDEST_DAYS = 26
"""Of the last midnight of the load, whose events go back three days more: 30 is the limit of the API."""
RETENTION_DAYS, DROPPED_TO_DAYS = 30, 60

LOCK_A_ROLLUP = """
SELECT 1 FROM rollups WHERE grain = 'day' AND prompt_key = 0 ORDER BY bucket_start DESC LIMIT 1 FOR UPDATE
"""
SELECT_EMPTY_PARTITION = """
SELECT relid::regclass::text FROM pg_partition_tree('events')
WHERE isleaf AND relid::regclass::text = %(name)s
"""


def locked_rollup(trial: Trial) -> None:
    """A forgotten psql session holds the row that every fold must write."""
    with trial.load():
        trial.service.wait_for(EVENTS)
        with psycopg.connect(trial.service.database_url) as connection:
            connection.execute(LOCK_A_ROLLUP)
            trial.last(4, 60)
        trial.service.wait_for(EVENTS)


def missing_partition(trial: Trial) -> None:
    """Somebody dropped the empty table of today, and of the day before."""
    with psycopg.connect(trial.service.database_url, autocommit=True) as connection:
        for days in range(2):
            day = datetime.now(UTC).date() - timedelta(days=days)
            found = connection.execute(SELECT_EMPTY_PARTITION, {"name": f"events_{day:%Y%m%d}"}).fetchone()
            if found:
                connection.execute(f"DROP TABLE {found[0]}".encode())
                trial.facts.append(f"dropped {found[0]}")
    trial.expect("a partition was dropped", is_so=bool(trial.facts))
    with trial.load():
        trial.service.wait_for(EVENTS)


def old_events_beside_retention(trial: Trial) -> None:
    """Events of four weeks ago arrive while each start of a worker drops older partitions."""
    today = last_midnight().date()
    midnight = (last_midnight() - timedelta(days=OLDEST_DAYS)).isoformat()
    with trial.load(midnight=midnight), psycopg.connect(trial.service.database_url, autocommit=True) as connection:
        for _ in range(trial.times(2, 20)):
            ensure_partitions(
                connection, today - timedelta(days=DROPPED_TO_DAYS), today - timedelta(days=RETENTION_DAYS + 2)
            )
            for worker in trial.service.workers:
                kill(worker.pid)
            trial.service.wait_for(EVENTS)


TABLES = (
    Scenario("a rollup row locked", locked_rollup),
    Scenario("a partition missing", missing_partition),
    Scenario(
        "old events while retention drops partitions",
        old_events_beside_retention,
        settings=(("retention_days", str(RETENTION_DAYS)),),
    ),
)
