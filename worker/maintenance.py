"""Upkeep of the tables: partitions made ahead, old ones dropped, old minutes deleted."""

import logging
from datetime import datetime, timedelta

from app.core.database import Connection, database_errors
from app.core.partitions import drop_partitions_before, ensure_partitions
from app.core.queries.maintenance import release_maintenance_lock, try_maintenance_lock
from app.core.queries.projects import select_project_ids
from app.core.queries.rollups import compact_day, delete_minutes

PARTITIONS_AHEAD = timedelta(days=7)
MINUTES_KEPT = timedelta(days=7, hours=1)
"""The read API asks for minutes up to 7 days old; the hour more is for a request under way."""
DELETE_BATCH = 10_000
MAX_DELETE_BATCHES = 100
"""A million rows in one run; what is left waits for the next."""

COMPACT_AT_HOUR = 1
"""UTC: yesterday is over and its last events are stored. A day that is missed only stays a little slower to read."""

log = logging.getLogger(__name__)


def maintain(connection: Connection, now: datetime, *, retention_days: int) -> None:
    """Do the upkeep, unless another worker is at it. `now` is in UTC.

    Raises DatabaseUnavailable; what was done by then stays done, and the next run does the rest.
    """
    with database_errors():
        ensure_partitions(connection, now.date() - timedelta(days=1), (now + PARTITIONS_AHEAD).date())
        if not try_maintenance_lock(connection):
            return
        try:
            for name in drop_partitions_before(connection, now.date() - timedelta(days=retention_days)):
                log.info("dropped a partition past its retention", extra={"partition": name})
            for _ in range(MAX_DELETE_BATCHES):
                if delete_minutes(connection, now - MINUTES_KEPT, limit=DELETE_BATCH) < DELETE_BATCH:
                    break
            if now.hour == COMPACT_AT_HOUR:
                _compact_yesterday(connection, now)
        finally:
            release_maintenance_lock(connection)


def _compact_yesterday(connection: Connection, now: datetime) -> None:
    day_start = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    for project_id in select_project_ids(connection):
        compact_day(connection, project_id, day_start)
