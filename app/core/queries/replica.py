"""How far a hot standby is behind its primary."""

from dataclasses import dataclass
from datetime import datetime

from app.core.database import Connection
from app.core.queries.rows import one_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where the primary's log stands: all that was committed before `at`, by the primary's clock, is before it."""

    at: datetime
    position: str


def select_position(connection: Connection) -> Position:
    """Of a primary."""
    sql = "SELECT statement_timestamp() AS at, pg_current_wal_flush_lsn()::text AS position"
    found = one_row(connection, Position, sql, {})
    assert found is not None
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a standby has replayed, up to a `position`, which is None of a primary that never was a standby.

    `last_commit_at`, by the primary's clock, is None where there was none yet.
    """

    is_standby: bool
    has_all: bool
    is_further: bool
    position: str | None
    last_commit_at: datetime | None


def select_replayed(connection: Connection, position: str | None, earlier: str | None = None) -> Replayed:
    """Whether it `has_all` of the primary's log up to a position, and `is_further` than it was at an earlier look.

    Neither where that position is not known.
    """
    # the last commit first: what was replayed meanwhile is then before the position, too
    sql = """
        SELECT is_standby, last_commit_at, replayed::text AS position,
               coalesce(replayed >= %(position)s::pg_lsn, false) AS has_all,
               coalesce(replayed >= %(earlier)s::pg_lsn, false) AS is_further
        FROM (
            SELECT pg_is_in_recovery() AS is_standby, pg_last_xact_replay_timestamp() AS last_commit_at,
                   pg_last_wal_replay_lsn() AS replayed
        ) AS standby
    """
    found = one_row(connection, Replayed, sql, {"position": position, "earlier": earlier})
    assert found is not None
    return found
