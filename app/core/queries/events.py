"""Raw events, by binary COPY: straight into their table where all are new, else staged, and inserted where they are."""

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from decimal import Decimal
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from app.core.database import Connection, database_errors
from app.core.errors import AlreadyExists, RefusedWithoutReason
from app.core.pooled_connection import at_commit
from app.core.queries.binary_copy import TIMESTAMP_MICROSECONDS, UUID_BYTES, timestamp_microseconds
from app.core.rollups.event_row import Content, EventRow, PlainKey

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
)
"""


def create_incoming_events(connection: Connection) -> None:
    """The staging table of this connection: temporary, so it costs no write-ahead log."""
    connection.execute(CREATE_INCOMING_EVENTS + at_commit(connection))


COPY_INCOMING_EVENTS = """
COPY incoming_events (project_id, day, event_id, version_key, occurred_at, received_at, latency_ms, cost_usd, score)
FROM STDIN (FORMAT BINARY)
"""
COPY_EVENTS = """
COPY events (project_id, day, event_id, version_key, occurred_at, received_at, latency_ms, cost_usd, score)
FROM STDIN (FORMAT BINARY)
"""
COLUMN_TYPES = (
    *("int4", "date", UUID_BYTES, "int8"),
    *(TIMESTAMP_MICROSECONDS, TIMESTAMP_MICROSECONDS),
    *("numeric", "numeric", "numeric"),
)


def insert_new_events(connection: Connection, rows: Iterable[EventRow]) -> bool:
    """Insert the rows where all of them are new; else nothing is inserted, and False.

    False also where a node of Citus refuses one, since it does not say why: `insert_events` will find out. Must run
    inside a transaction, which goes on in both cases. Give rows in key order, as to `insert_events`, which costs half
    as much more.
    """
    try:
        with database_errors(), connection.transaction(), connection.cursor() as cursor:
            _copy(cursor, COPY_EVENTS, rows)
    except (AlreadyExists, RefusedWithoutReason):
        return False
    return True


INSERT_EVENTS = """
INSERT INTO events (project_id, day, event_id, version_key, occurred_at, received_at, latency_ms, cost_usd, score)
SELECT project_id, day, event_id, version_key, occurred_at, received_at, latency_ms, cost_usd, score
FROM incoming_events
ON CONFLICT DO NOTHING
RETURNING project_id, day, event_id
"""


class InsertedKey(NamedTuple):
    """A row of INSERT_EVENTS."""

    project_id: int
    day: date
    event_id: UUID


def insert_events(connection: Connection, rows: Sequence[EventRow]) -> AbstractSet[PlainKey]:
    """Insert the rows whose key is new; returns these keys.

    Must run inside a transaction. Give rows with distinct keys in key order: two workers that insert the same
    events in different orders could deadlock.
    """
    with connection.cursor(row_factory=class_row(InsertedKey)) as cursor:
        _copy(cursor, COPY_INCOMING_EVENTS, rows)
        cursor.execute(INSERT_EVENTS, binary=True)
        if cursor.rowcount == len(rows):
            return {row.key for row in rows}
        return {(row.project_id, row.day, row.event_id.bytes) for row in cursor.fetchall()}


def _copy(cursor: psycopg.Cursor[Any], sql: LiteralString, rows: Iterable[EventRow]) -> None:
    with cursor.copy(sql) as copy:
        copy.set_types(COLUMN_TYPES)
        for row in rows:
            times = timestamp_microseconds(row.occurred_at_ms), timestamp_microseconds(row.received_at_ms)
            copy.write_row((*row.key, row.version_key, *times, row.latency_ms, row.cost_usd, row.score))


SELECT_STORED_IDS = """
SELECT event_id
FROM events
WHERE project_id = %(project_id)s AND day = %(day)s AND event_id = ANY (%(event_ids)s::uuid[])
"""


def select_stored_keys(connection: Connection, keys: Iterable[PlainKey]) -> list[PlainKey]:
    """Which of the keys are stored."""
    by_day: dict[tuple[int, date], list[str]] = {}
    for project_id, day, event_id in keys:
        by_day.setdefault((project_id, day), []).append(event_id.hex())
    stored = []
    for (project_id, day), event_ids in by_day.items():
        # One text, because thousands of values of their own would take longer to send than to look up.
        parameters = {"project_id": project_id, "day": day, "event_ids": f"{{{','.join(event_ids)}}}"}
        found = connection.execute(SELECT_STORED_IDS, parameters)
        stored += [(project_id, day, event_id.bytes) for (event_id,) in found]
    return stored


SELECT_CONTENTS = """
SELECT events.project_id, events.day, events.event_id,
       events.version_key, events.latency_ms, events.cost_usd, events.score
FROM unnest(%(project_ids)s::integer[], %(days)s::date[], %(event_ids)s::uuid[])
     AS wanted (project_id, day, event_id)
JOIN events USING (project_id, day, event_id)
"""


class StoredContent(NamedTuple):
    """A row of SELECT_CONTENTS."""

    project_id: int
    day: date
    event_id: UUID
    version_key: int
    latency_ms: Decimal | None
    cost_usd: Decimal | None
    score: Decimal | None


def select_contents(connection: Connection, keys: Collection[PlainKey]) -> dict[PlainKey, Content]:
    parameters = {
        "project_ids": [project_id for project_id, _, _ in keys],
        "days": [day for _, day, _ in keys],
        "event_ids": [UUID(bytes=event_id) for _, _, event_id in keys],
    }
    with connection.cursor(row_factory=class_row(StoredContent)) as cursor:
        return {
            (row.project_id, row.day, row.event_id.bytes): (
                *(row.version_key, row.latency_ms),
                *(row.cost_usd, row.score),
            )
            for row in cursor.execute(SELECT_CONTENTS, parameters)
        }
