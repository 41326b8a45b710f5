"""What operators watch in PostgreSQL: partitions, stored events, dead letters."""

from dataclasses import dataclass

from app.core.database import Connection
from app.core.queries.rows import one_row, one_value


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionDays:
    """Whether the partition of today (UTC) exists, and how many days after today the last one is."""

    today_exists: bool
    days_ahead: int


def select_partition_days(connection: Connection) -> PartitionDays:
    # The day of a partition is the end of its name; to read its bounds, their text would have to be parsed.
    sql = """
        SELECT coalesce(bool_or(partition.day = today.day), false) AS today_exists,
               coalesce(max(partition.day) - today.day, 0) AS days_ahead
        FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS day) AS today
        LEFT JOIN (
            SELECT right(child.relname, 8)::date AS day
            FROM pg_inherits
            JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
            WHERE pg_inherits.inhparent = to_regclass('events')
              AND child.relname ~ '^events_[0-9]{8}$'
        ) AS partition ON true
        GROUP BY today.day
    """
    row = one_row(connection, PartitionDays, sql)
    assert row is not None
    return row


def select_events_stored(connection: Connection, *, project_id: int | None = None) -> int:
    """All events ever stored, or those of a project: the rollups outlive the events themselves."""
    # By project, so that each sum is one short range of the primary key, whatever the number of prompts and versions.
    sql = """
        SELECT coalesce(sum(whole.events), 0)::bigint + (
            SELECT coalesce(sum(events), 0)::bigint
            FROM rollup_additions
            WHERE %(project_id)s::integer IS NULL OR project_id = %(project_id)s
        ) AS events
        FROM projects
        CROSS JOIN LATERAL (
            SELECT sum(rollups.events) AS events
            FROM rollups
            WHERE rollups.project_id = projects.id
              AND rollups.prompt_key = 0
              AND rollups.version_key = 0
              AND rollups.grain = 'day'
        ) AS whole
        WHERE %(project_id)s::integer IS NULL OR projects.id = %(project_id)s
    """
    return int(one_value(connection, sql, {"project_id": project_id}))


def count_dead_letters(connection: Connection) -> int:
    """How many wait for a person to look at them."""
    sql = "SELECT count(*) FROM dead_letters"
    return int(one_value(connection, sql))
