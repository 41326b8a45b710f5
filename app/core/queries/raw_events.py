"""Raw events as a person reads them: all of a day, oldest first, or the first few of a day in some order."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from app.core.database import Connection
from app.core.pooled_connection import is_pooled
from app.core.queries.rows import all_rows, all_values

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


class EventsOf(NamedTuple):
    """Whose events: those of a project, of one of its prompts, or of some versions of that."""

    project_id: int
    prompt_key: int | None = None
    version_keys: Sequence[int] | None = None


_WHOSE = """events.project_id = %(project_id)s
          AND (%(prompt_key)s::bigint IS NULL OR version.prompt_key = %(prompt_key)s)
          AND (%(version_keys)s::bigint[] IS NULL OR events.version_key = ANY (%(version_keys)s::bigint[]))"""


def iterate_events_of_day(
    connection: Connection, whose: EventsOf, day: date, *, start: datetime, end: datetime
) -> Iterator[RawEvent]:
    """The events of a UTC day in [start, end), as of one moment, ROWS_AT_ONCE of them in memory at a time.

    The connection is one in autocommit mode, and holds no snapshot while they are read: PostgreSQL sorts them into a
    file of its own (WITH HOLD) before it gives the first one out. A slow reader would otherwise keep it from cleaning
    up behind every update of the rollups. Through a pooler nothing outlives a transaction: so there is one that long.
    """
    # One day at a time: each lies in a partition of its own, so PostgreSQL sorts a day and never the whole range.
    sql = f"""
        SELECT events.occurred_at, events.received_at, prompts.prompt_id, prompts.name AS prompt_name,
               version.version_hash, version.name AS version_name, events.latency_ms, events.cost_usd, events.score
        FROM events
        JOIN prompt_versions AS version ON version.id = events.version_key
        JOIN prompts ON prompts.id = version.prompt_key
        WHERE {_WHOSE} AND events.day = %(day)s
          AND events.occurred_at >= %(start)s AND events.occurred_at < %(end)s
        ORDER BY events.occurred_at, events.event_id
    """
    parameters = {**whose._asdict(), "day": day, "start": start, "end": end}
    outlives = not is_pooled(connection)
    with (
        nullcontext() if outlives else connection.transaction(),
        psycopg.ServerCursor(connection, "events_of_day", row_factory=class_row(RawEvent), withhold=outlives) as cursor,
    ):
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(sql, parameters, binary=True)
        yield from cursor


Order = Literal["latest", "slowest", "dearest", "lowest"]
_ORDERS: Mapping[Order, LiteralString] = {
    "latest": "events.occurred_at DESC",
    "slowest": "events.latency_ms DESC",
    "dearest": "events.cost_usd DESC",
    "lowest": "events.score",
}
_CARRIES: Mapping[Order, LiteralString] = {
    "latest": "true",
    "slowest": "events.latency_ms IS NOT NULL",
    "dearest": "events.cost_usd IS NOT NULL",
    "lowest": "events.score IS NOT NULL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEvent:
    """An event of a prompt."""

    event_id: UUID
    occurred_at: datetime
    received_at: datetime
    version_hash: str
    version_name: str | None
    latency_ms: Decimal | None
    cost_usd: Decimal | None
    score: Decimal | None


def select_single_events(
    connection: Connection, whose: EventsOf, day: date, *, start: datetime, end: datetime, order: Order, limit: int
) -> list[FoundEvent]:
    """The first events of a UTC day in [start, end) in an order; without those that lack what it goes by."""
    sql = f"""
        SELECT events.event_id, events.occurred_at, events.received_at, version.version_hash,
               version.name AS version_name, events.latency_ms, events.cost_usd, events.score
        FROM events
        JOIN prompt_versions AS version ON version.id = events.version_key
        WHERE {_WHOSE} AND events.day = %(day)s AND {_CARRIES[order]}
          AND events.occurred_at >= %(start)s AND events.occurred_at < %(end)s
        ORDER BY {_ORDERS[order]}, events.occurred_at DESC, events.event_id
        LIMIT %(limit)s
    """
    parameters = {**whose._asdict(), "day": day, "start": start, "end": end, "limit": limit}
    return all_rows(connection, FoundEvent, sql, parameters, binary=True)


def select_days_with_events(
    connection: Connection, whose: EventsOf, *, start: datetime, end: datetime
) -> list[datetime]:
    """The beginnings of the UTC days that [start, end) touches and in which a prompt has events, the latest first."""
    sql = """
        SELECT bucket_start
        FROM rollups
        WHERE project_id = %(project_id)s AND prompt_key = %(prompt_key)s
          AND version_key = ANY (coalesce(%(version_keys)s::bigint[], ARRAY[0::bigint]))
          AND grain = 'day' AND bucket_start >= date_trunc('day', %(start)s::timestamptz, 'UTC')
          AND bucket_start < %(end)s
        UNION
        SELECT date_trunc('day', bucket_start, 'UTC')
        FROM rollup_additions
        WHERE project_id = %(project_id)s AND prompt_key = %(prompt_key)s
          AND (%(version_keys)s::bigint[] IS NULL OR version_key = ANY (%(version_keys)s::bigint[]))
          AND bucket_start >= date_trunc('day', %(start)s::timestamptz, 'UTC')
          AND date_trunc('day', bucket_start, 'UTC') < %(end)s
        ORDER BY bucket_start DESC
    """
    return all_values(connection, sql, {**whose._asdict(), "start": start, "end": end})


def set_statement_timeout(connection: Connection, seconds: float) -> None:
    """For the rest of a transaction."""
    sql = "SELECT set_config('statement_timeout', %(milliseconds)s, true)"
    connection.execute(sql, {"milliseconds": str(max(1, int(seconds * 1_000)))})


def set_longest_pause(connection: Connection, seconds: float) -> None:
    """Let PostgreSQL end this connection when it is asked for nothing for so long outside of a transaction.

    Inside of one, as a download through a pooler always is, that has a limit anyway.
    """
    if is_pooled(connection):
        return
    sql = "SELECT set_config('idle_session_timeout', %(milliseconds)s, false)"
    connection.execute(sql, {"milliseconds": str(int(seconds * 1_000))})
