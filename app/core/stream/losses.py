"""Looking for events that were acknowledged and are nowhere: what Redis forgot, or somebody deleted."""

import logging
from collections.abc import Sequence

import redis

from app.core.database import Connection, database_errors
from app.core.queries.ledger import (
    Unsettled,
    drop_repeated_acknowledgements,
    fold_acknowledgements,
    fold_sightings,
    insert_losses,
    select_unsettled,
    try_ledger_lock,
)
from app.core.queries.untraced import settle_untraced
from app.core.runbook import runbook_entry
from app.core.stream.consumers import forget_silent_ones, silent_for_seconds
from app.core.stream.numbering import runs_by_series
from app.core.stream.state import labels_in

MAX_BUFFERED = 200_000
"""Of a buffer with more entries nothing is told until it is shorter: to read them all would keep Redis from others."""
UNSURE_SECONDS = 60.0
"""The clocks of web and PostgreSQL may differ by so much, and a silent consumer may have waited for a moment."""

log = logging.getLogger(__name__)


def look_for_losses(connection: Connection, client: redis.Redis) -> int | None:
    """Fold the ledger, and move what is missing to the losses; returns how many events.

    None where nothing can be told: another worker is at it, or too many entries wait. The order is what makes this
    exact at any moment: what was acknowledged, then what is buffered, then what was seen. Of what was acknowledged
    before a silent consumer last asked for entries nobody knows who took it: that is no loss, but untraced.
    """
    with database_errors(), connection.transaction():
        if not try_ledger_lock(connection):
            return None
        fold_sightings(connection)
        drop_repeated_acknowledgements(connection)
        fold_acknowledgements(connection)
    with database_errors():
        unsettled = select_unsettled(connection)
    events = _settle(connection, client, unsettled) if unsettled else 0
    if events is not None:
        # not before what they took is settled
        forget_silent_ones(client)
    return events


def _settle(connection: Connection, client: redis.Redis, unsettled: Sequence[Unsettled]) -> int | None:
    labels = labels_in(client, at_most=MAX_BUFFERED)
    if labels is None:
        return None
    # after the labels: whoever took an entry that is not among them has asked for it before
    silent_seconds = silent_for_seconds(client)
    buffered, untraced = runs_by_series(labels), 0
    with database_errors(), connection.transaction():
        if not try_ledger_lock(connection):
            return None
        fold_sightings(connection)
        drop_repeated_acknowledgements(connection)
        if silent_seconds is not None:
            older_than_seconds = silent_seconds - UNSURE_SECONDS
            untraced = settle_untraced(connection, unsettled, buffered, older_than_seconds=older_than_seconds)
        events = insert_losses(connection, unsettled, buffered)
        fold_acknowledgements(connection)
    if untraced:
        log.warning(
            "events were taken by a worker that writes nothing down",
            extra={"events": untraced, "see": runbook_entry("untraced")},
        )
    if events:
        log.error("acknowledged events are missing", extra={"events": events, "see": runbook_entry("losses")})
    return events
