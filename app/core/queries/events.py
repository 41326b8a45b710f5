"""Raw events: staged by binary COPY, then inserted where they are not stored yet."""

from collections.abc import Callable, Collection, Iterable
from datetime import date
from decimal import Decimal
from typing import NamedTuple, TypeVar
from uuid import UUID

from app.core.database import Connection
from app.core.queries.binary_copy import TIMESTAMP_MICROSECONDS, UUID_BYTES

T = TypeVar("T")

CREATE_INCOMING_EVENTS = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_events (
    project_id   integer,
    day          date,
    event_id     uuid,
    version_key  bigint,
    occurred_at  timestamptz,
    received_at  timestamptz,
    latency_ms   numeric,
    cost_usd     numeric,
    score        numeric
) ON COMMIT DELETE ROWS
"""

COPY_INCOMING_EVENTS = """
COPY incoming_events (project_id, day, event_id, version_key, occurred_at, received_at, latency_ms, cost_usd, score)
FROM STDIN (FORMAT BINARY)
"""
COLUMN_TYPES = (
    *("int4", "date", UUID_BYTES, "int8"),
    *(TIMESTAMP_MICROSECONDS, TIMESTAMP_MICROSECONDS),
    *("numeric", "numeric", "numeric"),
)

INSERT_EVENTS = """
INSERT INTO events (project_id, day, event_id, version_key, occurred_at, received_at, latency_ms, cost_usd, score)
SELECT project_id, day, event_id, version_key, occurred_at, received_at, latency_ms, cost_usd, score
FROM incoming_events
ON CONFLICT DO NOTHING
RETURNING project_id, day, event_id
"""

SELECT_CONTENTS = """
SELECT events.project_id, events.day, events.event_id,
       events.version_key, events.latency_ms, events.cost_usd, events.score
FROM unnest(%(project_ids)s::integer[], %(days)s::date[], %(event_ids)s::uuid[])
     AS wanted (project_id, day, event_id)
JOIN events USING (project_id, day, event_id)
"""


class EventKey(NamedTuple):
    """What makes an event one and the same.

    `day` is the UTC day on which it occurred; `event_id` the 16 bytes of its id, which are in the same order as UUIDs
    and quicker to compare.
    """

    project_id: int
    day: date
    event_id: bytes


class EventContent(NamedTuple):
    """What two events with the same key must share to be the same event."""

    version_key: int
    latency_ms: Decimal | None
    cost_usd: Decimal | None
    score: Decimal | None


class EventRow(NamedTuple):
    """One row of the events table; it begins with its key. Times are `timestamp_microseconds`."""

    project_id: int
    day: date
    event_id: bytes
    version_key: int
    occurred_at: int
    received_at: int
    latency_ms: Decimal | None
    cost_usd: Decimal | None
    score: Decimal | None


def create_incoming_events(connection: Connection) -> None:
    """The staging table of this connection: temporary, so it costs no write-ahead log."""
    connection.execute(CREATE_INCOMING_EVENTS)


def insert_events(
    connection: Connection, rows: Iterable[EventRow], *, meanwhile: Callable[[], T]
) -> tuple[list[EventKey] | None, T]:
    """Insert the rows whose key is new; returns the keys of those, or None where all were new (the usual case).

    Must run inside a transaction. Give rows with distinct keys in key order: two workers that insert the same
    events in different orders could deadlock. `meanwhile` is called while PostgreSQL works, and what it gives returned.
    """
    count = 0
    with connection.cursor() as cursor:
        with cursor.copy(COPY_INCOMING_EVENTS) as copy:
            copy.set_types(COLUMN_TYPES)
            for row in rows:
                copy.write_row(row)
                count += 1
        with connection.pipeline():
            cursor.execute(INSERT_EVENTS, binary=True)
            made = meanwhile()
        if cursor.rowcount == count:
            return None, made
        return [_event_key(*row) for row in cursor.fetchall()], made


def select_contents(connection: Connection, keys: Collection[EventKey]) -> dict[EventKey, EventContent]:
    """What is stored under these keys."""
    parameters = {
        "project_ids": [key.project_id for key in keys],
        "days": [key.day for key in keys],
        "event_ids": [UUID(bytes=key.event_id) for key in keys],
    }
    rows = connection.execute(SELECT_CONTENTS, parameters)
    return {_event_key(*row[:3]): EventContent(*row[3:]) for row in rows}


def _event_key(project_id: int, day: date, event_id: UUID) -> EventKey:
    return EventKey(project_id, day, event_id.bytes)
