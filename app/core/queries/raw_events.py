"""Raw events as a person reads them, oldest first."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from app.core.database import Connection

ROWS_AT_ONCE = 2_000


class RawEvent(NamedTuple):
    """An event with the names of its prompt and version; a tuple, because it is a row of a download as it stands."""

    occurred_at: datetime
    received_at: datetime
    prompt_id: UUID
    prompt_name: str | None
    version_hash: str
    version_name: str | None
    latency_ms: Decimal | None
    cost_usd: Decimal | None
    score: Decimal | None


def iterate_events_of_day(
    connection: Connection, project_id: int, day: date, *, start: datetime, end: datetime
) -> Iterator[RawEvent]:
    """The events of a UTC day in [start, end), as of one moment, ROWS_AT_ONCE of them in memory at a time.

    The connection is one in autocommit mode, and holds no snapshot while they are read: PostgreSQL sorts them into a
    file of its own (WITH HOLD) before it gives the first one out. A slow reader would otherwise keep it from cleaning
    up behind every update of the rollups.
    """
    # One day at a time: each lies in a partition of its own, so PostgreSQL sorts a day and never the whole range.
    sql = """
        SELECT events.occurred_at, events.received_at, prompts.prompt_id, prompts.name AS prompt_name,
               version.version_hash, version.name AS version_name, events.latency_ms, events.cost_usd, events.score
        FROM events
        JOIN prompt_versions AS version ON version.id = events.version_key
        JOIN prompts ON prompts.id = version.prompt_key
        WHERE events.project_id = %(project_id)s AND events.day = %(day)s
          AND events.occurred_at >= %(start)s AND events.occurred_at < %(end)s
        ORDER BY events.occurred_at, events.event_id
    """
    parameters = {"project_id": project_id, "day": day, "start": start, "end": end}
    with psycopg.ServerCursor(connection, "events_of_day", row_factory=class_row(RawEvent), withhold=True) as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(sql, parameters, binary=True)
        yield from cursor


def set_longest_pause(connection: Connection, seconds: float) -> None:
    """Let PostgreSQL end this connection when it is asked for nothing for so long outside of a transaction."""
    sql = "SELECT set_config('idle_session_timeout', %(milliseconds)s, false)"
    connection.execute(sql, {"milliseconds": str(int(seconds * 1_000))})
