"""Looking for events that were acknowledged and are nowhere: what Redis forgot, or somebody deleted."""

import logging

import redis

from app.core.database import Connection, database_errors
from app.core.queries.ledger import (
    drop_repeated_acknowledgements,
    fold_acknowledgements,
    fold_sightings,
    insert_losses,
    select_unsettled,
    try_ledger_lock,
)
from app.core.runbook import runbook_entry
from app.core.stream.numbering import runs_by_series
from app.core.stream.state import labels_in

MAX_BUFFERED = 200_000
"""Of a buffer with more entries nothing is told until it is shorter: to read them all would keep Redis from others."""

log = logging.getLogger(__name__)


def look_for_losses(connection: Connection, client: redis.Redis) -> int | None:
    """Fold the ledger, and move what is missing to the losses; returns how many events.

    None where nothing can be told: another worker is at it, or too many entries wait. The order is what makes this
    exact at any moment: what was acknowledged, then what is buffered, then what was seen.
    """
    with database_errors(), connection.transaction():
        if not try_ledger_lock(connection):
            return None
        fold_sightings(connection)
        drop_repeated_acknowledgements(connection)
        fold_acknowledgements(connection)
    with database_errors():
        unsettled = select_unsettled(connection)
    if not unsettled:
        return 0
    labels = labels_in(client, at_most=MAX_BUFFERED)
    if labels is None:
        return None
    with database_errors(), connection.transaction():
        if not try_ledger_lock(connection):
            return None
        fold_sightings(connection)
        drop_repeated_acknowledgements(connection)
        events = insert_losses(connection, unsettled, runs_by_series(labels))
        fold_acknowledgements(connection)
    if events:
        log.error("acknowledged events are missing", extra={"events": events, "see": runbook_entry("losses")})
    return events
