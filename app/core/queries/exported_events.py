"""Raw events of a day with all that is known of each, as of one moment, which is over before the first is given out."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import NamedTuple

import psycopg
from psycopg.rows import class_row

from app.core.database import BEGIN_SNAPSHOT, Connection

ROWS_AT_ONCE = 5_000


class ExportedEvent(NamedTuple):
    """Numbers are text, with the digits that are stored; a tuple, because it is a row of a file as it stands."""

    event_id: str
    occurred_at: datetime
    received_at: datetime
    prompt_id: str
    prompt_name: str | None
    version_hash: str
    version_name: str | None
    latency_ms: str | None
    cost_usd: str | None
    score: str | None


ExportCursor = psycopg.ServerCursor[ExportedEvent]

# A cursor is planned for its first rows unless told that all of them will be read.
PLAN_FOR_ALL_ROWS = "SELECT set_config('cursor_tuple_fraction', '1', true)"

DECLARE_EVENTS = """
SELECT events.event_id::text AS event_id, events.occurred_at, events.received_at,
       prompts.prompt_id::text AS prompt_id, prompts.name AS prompt_name,
       version.version_hash, version.name AS version_name,
       events.latency_ms::text AS latency_ms, events.cost_usd::text AS cost_usd, events.score::text AS score
FROM events
JOIN prompt_versions AS version ON version.id = events.version_key
JOIN prompts ON prompts.id = version.prompt_key
WHERE events.project_id = %(project_id)s AND events.day = %(day)s
ORDER BY events.occurred_at, events.event_id
"""


@contextmanager
def one_moment(connection: Connection) -> Iterator[None]:
    """A transaction that sees one moment and writes nothing. Keep it short: folds read past what it may still see."""
    with connection.transaction():
        connection.execute(BEGIN_SNAPSHOT)
        connection.execute(PLAN_FOR_ALL_ROWS)
        yield


def declare_events_of_day(connection: Connection, project_id: int, day: date) -> ExportCursor:
    """A cursor over the day, by time; it must be closed, and must be declared within `one_moment`.

    Read it after that: at its end PostgreSQL sorts the rows into a file of its own (WITH HOLD), from which they are
    given out later, however slowly they are read. What is not read then costs PostgreSQL's disk alone.
    """
    cursor = psycopg.ServerCursor(connection, "exported_day", row_factory=class_row(ExportedEvent), withhold=True)
    return cursor.execute(DECLARE_EVENTS, {"project_id": project_id, "day": day}, binary=True)


def read_rows(cursor: ExportCursor) -> Iterator[list[ExportedEvent]]:
    """ROWS_AT_ONCE of them at a time."""
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        yield rows
