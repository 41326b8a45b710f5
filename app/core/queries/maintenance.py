"""The lock that lets one worker at a time do the upkeep."""

from app.core.database import Connection
from app.core.queries.rows import one_value

MAINTENANCE_LOCK = 0x70615F6D
"""An advisory lock key of our own: "pa_m"."""


def try_maintenance_lock(connection: Connection) -> bool:
    """Take the lock if it is free; it ends with the connection at the latest."""
    sql = "SELECT pg_try_advisory_lock(%(key)s)"
    return bool(one_value(connection, sql, {"key": MAINTENANCE_LOCK}))


def release_maintenance_lock(connection: Connection) -> None:
    sql = "SELECT pg_advisory_unlock(%(key)s)"
    connection.execute(sql, {"key": MAINTENANCE_LOCK})
