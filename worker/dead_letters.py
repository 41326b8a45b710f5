"""Keeping an entry that can never be stored, with the reason, where a person sees it."""

import logging

from app.core.database import Connection
from app.core.queries.dead_letters import insert_dead_letter
from app.core.queries.ledger import insert_sightings
from app.core.runbook import runbook_entry
from app.core.stream.dead_letters import project_of
from app.core.stream.entries import Entry
from app.core.stream.numbering import runs_by_series
from worker.store import received_at

log = logging.getLogger(__name__)


def keep_dead_letter(connection: Connection, entry: Entry, reason: str) -> None:
    """Once, however often the entry is delivered or replayed. The connection is one in autocommit mode."""
    seen = runs_by_series([] if entry.label is None else [entry.label])
    with connection.transaction():
        insert_dead_letter(
            connection,
            entry.first_id or entry.entry_id,
            entry.payload,
            reason,
            received_at(entry),
            project_id=project_of(entry.payload),
        )
        insert_sightings(connection, {(series, "set_aside"): runs for series, runs in seen.items()})
    log.error(
        "set an entry aside as a dead letter",
        extra={"entry_id": entry.entry_id, "reason": reason, "see": runbook_entry("dead_letters")},
    )
