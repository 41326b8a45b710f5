"""The daily partitions of the events table: made ahead, dropped whole when they are past their retention."""

from datetime import date, timedelta

from psycopg import sql

from app.core.database import Connection
from app.core.queries.rows import all_values

PARTITION_LOCK = 0x70615F70
"""An advisory lock key of our own: "pa_p"."""
DAYS_AHEAD = timedelta(days=7)
DROP_LOCK_TIMEOUT_MS = 1_000
"""While a drop waits for the table, every insert waits behind it."""

TAKE_LOCK = "SELECT pg_advisory_xact_lock(%(key)s)"


def ensure_partitions(connection: Connection, first: date, last: date) -> None:
    """Make the missing partitions from `first` to `last`, both included: all or none of them.

    The connection is one in autocommit mode. Concurrent callers wait for each other.
    """
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    if not _missing(connection, days):
        return
    with connection.transaction():
        connection.execute(TAKE_LOCK, {"key": PARTITION_LOCK})
        for day in _missing(connection, days):
            _create(connection, day)


def ensure_coming_partitions(connection: Connection, today: date) -> None:
    """Make the partitions from yesterday to a week ahead; as `ensure_partitions`."""
    ensure_partitions(connection, today - timedelta(days=1), today + DAYS_AHEAD)


DROP_PARTITION = sql.SQL("DROP TABLE {partition}")


def drop_partitions_before(connection: Connection, day: date) -> list[str]:
    """Drop the partitions of all days before `day`, each in its own transaction; returns their names.

    Raises psycopg's LockNotAvailable where the table is busy for a second; call it again later. The connection is one
    in autocommit mode.
    """
    set_lock_timeout = "SELECT set_config('lock_timeout', %(milliseconds)s, true)"
    dropped = []
    for name in _names(connection):
        if name >= partition_name(day):
            break
        with connection.transaction():
            connection.execute(set_lock_timeout, {"milliseconds": str(DROP_LOCK_TIMEOUT_MS)})
            connection.execute(TAKE_LOCK, {"key": PARTITION_LOCK})
            if name not in _names(connection):
                continue
            connection.execute(DROP_PARTITION.format(partition=sql.Identifier(name)))
        dropped.append(name)
    return dropped


def partition_name(day: date) -> str:
    """The table of a day; names sort as their days do."""
    return f"events_{day:%Y%m%d}"


SELECT_PARTITIONS = """
SELECT partition.relname
FROM pg_inherits
JOIN pg_class AS partition ON partition.oid = pg_inherits.inhrelid
WHERE pg_inherits.inhparent = 'events'::regclass
ORDER BY partition.relname
"""


def _names(connection: Connection) -> list[str]:
    return all_values(connection, SELECT_PARTITIONS)


def _missing(connection: Connection, days: list[date]) -> list[date]:
    present = set(_names(connection))
    return [day for day in days if partition_name(day) not in present]


# Made apart and attached, a partition takes no lock on events that an insert or a query would have to wait for.
CREATE_PARTITION = sql.SQL("CREATE TABLE {partition} (LIKE events INCLUDING ALL)")
ATTACH_PARTITION = sql.SQL("ALTER TABLE events ATTACH PARTITION {partition} FOR VALUES FROM ({day}) TO ({next_day})")


def _create(connection: Connection, day: date) -> None:
    partition = sql.Identifier(partition_name(day))
    connection.execute(CREATE_PARTITION.format(partition=partition))
    bounds = {"day": sql.Literal(day), "next_day": sql.Literal(day + timedelta(days=1))}
    connection.execute(ATTACH_PARTITION.format(partition=partition, **bounds))
