"""Repeats whose id begins with another hour than that of the first call, when Redis has lost its mark."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from app.core.database import Connection
from app.core.queries.events import select_contents, select_stored_keys
from app.core.rollups.event_row import Content, EventRow, PlainKey
from app.core.stream.events import id_of_another_hour

_HOUR_MS = 3_600_000
_DAY_MS = 86_400_000
_DAY = timedelta(days=1)


def late_repeats(connection: Connection, rows: Mapping[PlainKey, EventRow], *, hours: int) -> dict[PlainKey, Content]:
    """Those of the rows whose event came before under the id of a neighbouring hour, with what it was then.

    It is stored, or among the rows itself. `hours` is -1 for events without a time of their own, which may have come an
    hour earlier; 1 for the first call of one whose repeat went to another stream and was stored first. One with a time
    has one id for ever; but it may have come without it, in the hour of that time or just after it: 1. Two workers that
    store both at the same moment do not see each other.
    """
    firsts = [first for key, row in rows.items() for first in _neighbours(key, row, hours)]
    stored = select_stored_keys(connection, firsts)
    contents = {first: rows[first].content for first in firsts if first in rows}
    if stored:
        contents |= select_contents(connection, stored)
    if not contents:
        return {}
    return {
        key: contents[first] for key, row in rows.items() for first in _neighbours(key, row, hours) if first in contents
    }


def _neighbours(key: PlainKey, row: EventRow, hours: int) -> Iterator[PlainKey]:
    project_id, day, event_id = key
    other_id = id_of_another_hour(event_id, hours)
    if other_id is None:
        return
    yield project_id, day, other_id
    # The day of the other is Redis's, and its hour web's: they may not agree on which side of midnight it came.
    if (row.occurred_at_ms + hours * _HOUR_MS) // _DAY_MS != row.occurred_at_ms // _DAY_MS:
        yield project_id, day + hours * _DAY, event_id
        yield project_id, day + hours * _DAY, other_id
