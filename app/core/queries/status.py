"""What operators watch in PostgreSQL: partitions, stored events, dead letters."""

from app.core.database import Connection

# The day of a partition is the end of its name; to read its bounds, their text would have to be parsed.
SELECT_PARTITION_DAYS = """
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

# By project, so that each sum is one short range of the primary key, whatever the number of prompts and versions.
SELECT_EVENTS_STORED = """
SELECT coalesce(sum(whole.events), 0) AS events
  FROM projects
 CROSS JOIN LATERAL (
       SELECT sum(rollups.events) AS events
         FROM rollups
        WHERE rollups.project_id = projects.id
          AND rollups.prompt_key = 0
          AND rollups.version_key = 0
          AND rollups.grain = 'day'
       ) AS whole
"""

SELECT_EVENTS_STORED_OF_PROJECT = """
SELECT coalesce(sum(events), 0)
  FROM rollups
 WHERE project_id = %(project_id)s
   AND prompt_key = 0
   AND version_key = 0
   AND grain = 'day'
"""

COUNT_DEAD_LETTERS = "SELECT count(*) FROM dead_letters"


def select_partition_days(connection: Connection) -> tuple[bool, int]:
    """Whether the partition of today (UTC) exists, and how many days after today the last one is."""
    row = connection.execute(SELECT_PARTITION_DAYS).fetchone()
    assert row is not None
    return bool(row[0]), int(row[1])


def select_events_stored(connection: Connection, *, project_id: int | None = None) -> int:
    """All events ever stored, or those of a project: the rollups outlive the events themselves."""
    if project_id is None:
        row = connection.execute(SELECT_EVENTS_STORED).fetchone()
    else:
        row = connection.execute(SELECT_EVENTS_STORED_OF_PROJECT, {"project_id": project_id}).fetchone()
    assert row is not None
    return int(row[0])


def count_dead_letters(connection: Connection) -> int:
    """How many wait for a person to look at them."""
    row = connection.execute(COUNT_DEAD_LETTERS).fetchone()
    assert row is not None
    return int(row[0])
