"""The lock that lets one worker at a time do the upkeep, and the clock by which it is done."""

from datetime import datetime

from app.core.database import Connection
from app.core.queries.rows import one_value

MAINTENANCE_LOCK = 0x70615F6D
"""An advisory lock key of our own, "pa_m", for a session."""


def select_now(connection: Connection) -> datetime:
    """The time by PostgreSQL's clock, in UTC."""
    sql = "SELECT clock_timestamp()"
    now: datetime = one_value(connection, sql)
    return now
