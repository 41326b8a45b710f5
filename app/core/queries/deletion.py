"""Deleting what is old without holding much of a table at once."""

from datetime import datetime
from typing import LiteralString

from app.core.database import Connection

BATCH = 10_000
MAX_BATCHES = 100
"""No more than one upkeep may take; the rest is for the next one."""


def delete_in_batches(connection: Connection, sql: LiteralString, *, before: datetime) -> None:
    """Run a DELETE of at most `limit` rows from `before` a time, both being its parameters, until none is left."""
    for _ in range(MAX_BATCHES):
        if connection.execute(sql, {"before": before, "limit": BATCH}).rowcount < BATCH:
            return
