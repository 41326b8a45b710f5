"""The lock that lets one worker at a time do the upkeep."""

from app.core.database import Connection
from app.core.queries.rows import one_value

MAINTENANCE_LOCK = 0x70615F6D
"""An advisory lock key of our own: "pa_m"."""

TRY_LOCK = "SELECT pg_try_advisory_lock(%(key)s)"


def try_maintenance_lock(connection: Connection) -> bool:
    """Take the lock if it is free; it ends with the connection at the latest."""
    return bool(one_value(connection, TRY_LOCK, {"key": MAINTENANCE_LOCK}))


RELEASE_LOCK = "SELECT pg_advisory_unlock(%(key)s)"


def release_maintenance_lock(connection: Connection) -> None:
    """Give the lock back."""
    connection.execute(RELEASE_LOCK, {"key": MAINTENANCE_LOCK})
