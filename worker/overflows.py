"""Telling who sends more new versions, or prompts, than are registered in a day."""

import logging
from collections.abc import Callable, Mapping, Sequence

from app.core.database import Connection
from app.core.queries.key_facts import select_busiest_keys
from app.core.queries.overflows import OverflowKey, select_overflows_of_today
from app.core.runbook import runbook_entry

EventsByKey = Callable[[], Mapping[int, int]]
MOST_TOLD = 20
"""Lines of the log at once; the runbook says how to list all."""
MOST_KEYS = 5

log = logging.getLogger(__name__)


def telling(events_by_key: EventsByKey) -> Callable[[Connection, Sequence[OverflowKey]], None]:
    """Writes to the log; `events_by_key`: how many events were sent in the last 24 hours with each API key."""

    def tell(connection: Connection, overflows: Sequence[OverflowKey]) -> None:
        events = events_by_key()
        for overflow in select_overflows_of_today(connection, overflows[:MOST_TOLD]):
            what = "prompt ids" if overflow.prompt_id is None else "version hashes of a prompt"
            log.warning(
                "more new %s today than are registered; the rest is counted under (other)",
                what,
                extra={
                    "project_id": overflow.project_id,
                    "prompt_id": None if overflow.prompt_id is None else str(overflow.prompt_id),
                    "prompt": overflow.name,
                    "allowed": overflow.allowed,
                    "api_keys": _busiest_keys(connection, overflow.project_id, events),
                    "see": runbook_entry("counted_under_other"),
                },
            )
        if len(overflows) > MOST_TOLD:
            log.warning(
                "others do the same",
                extra={"others": len(overflows) - MOST_TOLD, "see": runbook_entry("counted_under_other")},
            )

    return tell


def _busiest_keys(connection: Connection, project_id: int, events: Mapping[int, int]) -> list[str]:
    keys = select_busiest_keys(connection, project_id, events, limit=MOST_KEYS)
    return [f"{key.name} (id {key.key_id}): {events[key.key_id]} events" for key in keys]
