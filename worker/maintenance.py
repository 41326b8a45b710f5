"""Upkeep of the tables: partitions made and dropped, old minutes deleted, histograms compacted, space given back."""

import logging
from datetime import date, datetime, timedelta

from app.core.contract import SHORTEST_RETENTION
from app.core.database import Connection, database_errors
from app.core.errors import ClocksDisagree, DatabaseUnavailable, PartitionBlocked
from app.core.queries.additions import shrink_additions
from app.core.queries.audit_log import delete_old_audit_entries
from app.core.queries.deliveries import delete_old_deliveries
from app.core.queries.ledger import delete_series
from app.core.queries.maintenance import MAINTENANCE_LOCK, select_now
from app.core.queries.news import delete_old_news
from app.core.queries.overflows import delete_old_overflows
from app.core.queries.partitions import drop_partitions_before, ensure_coming_partitions
from app.core.queries.projects import select_project_ids
from app.core.queries.rollups import compact_bucket, delete_minutes
from app.core.queries.session_locks import release_session_lock, try_session_lock
from app.core.rollups.grains import Grain, floor_to
from app.core.rollups.time_range import MINUTES_KEPT
from app.core.runbook import entry_for

LARGEST_DIFFERENCE = timedelta(hours=1)
MINUTES_DELETED_AFTER = MINUTES_KEPT + timedelta(hours=1)
"""The hour more is for a request under way."""
SHORT_SKETCH_BYTES = 60
"""So short a histogram is part of a row that is hardly longer than without it."""
SPARSE_BYTES = 64_000_000
"""Less is read in ten milliseconds or so."""
SHRINK_LOCK_TIMEOUT_MS = 500
DELETE_BATCH = 10_000
MAX_DELETE_BATCHES = 100
"""A million rows in one run; what is left waits for the next."""

log = logging.getLogger(__name__)


def agreed_time(connection: Connection, now: datetime) -> datetime:
    """The time by PostgreSQL's clock, in UTC; `now` is that of this machine.

    Raises ClocksDisagree where the two are more than an hour apart: by a clock that is wrong every event would be past
    its retention, or none.
    """
    in_database = select_now(connection)
    if abs(in_database - now) > LARGEST_DIFFERENCE:
        raise ClocksDisagree(
            f"nothing is cleaned up: PostgreSQL's clock says {in_database:%Y-%m-%d %H:%M} UTC, "
            f"that of this machine {now:%Y-%m-%d %H:%M}; set the wrong one right"
        )
    return in_database


def maintain(connection: Connection, now: datetime, *, retention_days: int) -> None:
    """Do the upkeep, unless another worker is at it. `now` is in UTC, see `agreed_time`.

    Where PostgreSQL fails, what was done by then stays done, and the next run does the rest.
    """
    blocked = _make_coming_partitions(connection, now)
    if try_session_lock(connection, MAINTENANCE_LOCK):
        _clean_up(connection, now, retention_days=retention_days)
    if blocked is not None:
        raise blocked


def _make_coming_partitions(connection: Connection, now: datetime) -> PartitionBlocked | None:
    """What keeps one from being made: that must not keep the rest of the upkeep from being done."""
    try:
        ensure_coming_partitions(connection, now.date())
    except PartitionBlocked as error:
        return error
    return None


def _clean_up(connection: Connection, now: datetime, *, retention_days: int) -> None:
    """Whoever calls it holds the lock, which is given back here."""
    try:
        retention = max(timedelta(days=retention_days), SHORTEST_RETENTION)
        _drop_old_partitions(connection, now.date() - retention)
        delete_series(connection, now - retention)
        _shrink_additions(connection)
        for _ in range(MAX_DELETE_BATCHES):
            if delete_minutes(connection, now - MINUTES_DELETED_AFTER, limit=DELETE_BATCH) < DELETE_BATCH:
                break
        delete_old_audit_entries(connection, now)
        delete_old_deliveries(connection, now)
        delete_old_news(connection, now)
        delete_old_overflows(connection, now)
        # Every time, not once a day: a run may be missed, and what is compact already is only read.
        _compact_day(connection, floor_to("day", now) - timedelta(days=1))
    finally:
        release_session_lock(connection, MAINTENANCE_LOCK)


def _compact_day(connection: Connection, day_start: datetime) -> None:
    """The histograms of a day, which long ranges read, and of its hours, which they read at their edges."""
    buckets: list[tuple[Grain, datetime]] = [("hour", day_start + timedelta(hours=hour)) for hour in range(24)]
    for project_id in select_project_ids(connection):
        for grain, bucket_start in [*buckets, ("day", day_start)]:
            compact_bucket(connection, project_id, grain, bucket_start, longer_than_bytes=SHORT_SKETCH_BYTES)


def _shrink_additions(connection: Connection) -> None:
    """As `_drop_old_partitions`, where the table is busy."""
    try:
        with database_errors():
            if shrink_additions(connection, above_bytes=SPARSE_BYTES, lock_timeout_ms=SHRINK_LOCK_TIMEOUT_MS):
                log.info("shrank the table of additions")
    except DatabaseUnavailable as error:
        log.warning(
            "the table of additions stays large until the next upkeep",
            extra={"reason": str(error), "see": entry_for(error)},
        )


def _drop_old_partitions(connection: Connection, day: date) -> None:
    """A table that is busy, with a backup perhaps, is left for the next run; the other upkeep goes on."""
    try:
        with database_errors():
            for name in drop_partitions_before(connection, day):
                log.info("dropped a partition past its retention", extra={"partition": name})
    except DatabaseUnavailable as error:
        log.warning("old partitions stay until the next upkeep", extra={"reason": str(error), "see": entry_for(error)})
