"""The daily partitions of the events table: made ahead, dropped whole when they are past their retention."""

from dataclasses import dataclass
from datetime import date, timedelta

from psycopg import sql

from app.core.database import Connection, database_errors
from app.core.errors import PartitionBlocked, StatementRefused
from app.core.queries.rows import all_rows, all_values

PARTITION_LOCK = 0x70615F70
"""An advisory lock key of our own: "pa_p"."""
DAYS_AHEAD = timedelta(days=7)
DROP_LOCK_TIMEOUT_MS = 1_000
"""While a drop waits for the table, every insert waits behind it."""

TAKE_LOCK = "SELECT pg_advisory_xact_lock(%(key)s)"


def ensure_partitions(connection: Connection, first: date, last: date) -> None:
    """Make the missing partitions from `first` to `last`, both included: all or none of them.

    A day that any partition holds is not missing. The connection is one in autocommit mode. Concurrent callers wait for
    each other. Raises PartitionBlocked where PostgreSQL refuses to make one, most likely because a table has its name:
    a partition that somebody has detached.
    """
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    if not _missing(connection, days):
        return
    with connection.transaction():
        connection.execute(TAKE_LOCK, {"key": PARTITION_LOCK})
        for day in _missing(connection, days):
            try:
                with database_errors():
                    _create(connection, day)
            except StatementRefused as error:
                raise PartitionBlocked(f"the partition {partition_name(day)} cannot be made: {error}") from error


def ensure_coming_partitions(connection: Connection, today: date) -> None:
    """Make the partitions from yesterday to a week ahead; as `ensure_partitions`."""
    ensure_partitions(connection, today - timedelta(days=1), today + DAYS_AHEAD)


DROP_PARTITION = sql.SQL("DROP TABLE {partition}")


def drop_partitions_before(connection: Connection, day: date) -> list[str]:
    """Drop the partitions of all days before `day`, each in its own transaction; returns their names.

    Only those that `ensure_partitions` made: what somebody else has attached stays. Raises psycopg's LockNotAvailable
    where the table is busy for a second; call it again later. The connection is one in autocommit mode.
    """
    set_lock_timeout = "SELECT set_config('lock_timeout', %(milliseconds)s, true)"
    dropped = []
    for partition in _partitions(connection):
        if partition.name != partition_name(partition.first_day) or partition.first_day >= day:
            continue
        with connection.transaction():
            connection.execute(set_lock_timeout, {"milliseconds": str(DROP_LOCK_TIMEOUT_MS)})
            connection.execute(TAKE_LOCK, {"key": PARTITION_LOCK})
            if partition not in _partitions(connection):
                continue
            connection.execute(DROP_PARTITION.format(partition=sql.Identifier(partition.name)))
        dropped.append(partition.name)
    return dropped


def partition_name(day: date) -> str:
    """The table of a day; names sort as their days do."""
    return f"events_{day:%Y%m%d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A table and the days that it holds, from the first one to the day before `end_day`."""

    name: str
    first_day: date
    end_day: date


def _partitions(connection: Connection) -> list[Partition]:
    """By day; without a default partition, which holds no day of its own."""
    select = """
        SELECT child.relname AS name,
               substring(bound FROM $$FROM \\('([-0-9]+)'\\)$$)::date AS first_day,
               substring(bound FROM $$TO \\('([-0-9]+)'\\)$$)::date AS end_day
        FROM pg_inherits
        JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
        CROSS JOIN LATERAL pg_get_expr(child.relpartbound, child.oid) AS bound
        WHERE pg_inherits.inhparent = 'events'::regclass
          AND bound ~ $$FROM \\('[-0-9]+'\\) TO \\('[-0-9]+'\\)$$
        ORDER BY first_day
    """
    return all_rows(connection, Partition, select)


def select_first_day(connection: Connection) -> date | None:
    """The first day of which there are raw events, or could be; None without a partition."""
    partitions = _partitions(connection)
    return partitions[0].first_day if partitions else None


def select_partitioned_days(connection: Connection) -> list[date]:
    """All days of which there are raw events, or could be, the oldest first."""
    return [
        partition.first_day + timedelta(days=offset)
        for partition in _partitions(connection)
        for offset in range((partition.end_day - partition.first_day).days)
    ]


def select_detached_partitions(connection: Connection) -> list[str]:
    """Tables with the names of partitions that are not attached to any table, by name."""
    select = """
        SELECT relname
        FROM pg_class
        WHERE relkind = 'r' AND NOT relispartition AND relname ~ '^events_[0-9]{8}$' AND pg_table_is_visible(oid)
        ORDER BY relname
    """
    return all_values(connection, select)


def _missing(connection: Connection, days: list[date]) -> list[date]:
    partitions = _partitions(connection)
    return [day for day in days if not any(each.first_day <= day < each.end_day for each in partitions)]


# Made apart and attached, a partition takes no lock on events that an insert or a query would have to wait for.
CREATE_PARTITION = sql.SQL("CREATE TABLE {partition} (LIKE events INCLUDING ALL)")
ATTACH_PARTITION = sql.SQL("ALTER TABLE events ATTACH PARTITION {partition} FOR VALUES FROM ({day}) TO ({next_day})")


def _create(connection: Connection, day: date) -> None:
    partition = sql.Identifier(partition_name(day))
    connection.execute(CREATE_PARTITION.format(partition=partition))
    bounds = {"day": sql.Literal(day), "next_day": sql.Literal(day + timedelta(days=1))}
    connection.execute(ATTACH_PARTITION.format(partition=partition, **bounds))
