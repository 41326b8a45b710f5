"""The last events of a prompt, its slowest, its dearest, or those with the lowest score, out of the raw events.

No index leads there: a day is read whole. So only days in which the prompt has events are read, the latest first, and
as many as there is time for.
"""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from app.core.analytics.prompt_versions import find_versions, keys_of
from app.core.analytics.usage import find_prompt
from app.core.database import Connection, database_errors
from app.core.errors import DatabaseTooSlow
from app.core.queries.names import VersionKey
from app.core.queries.raw_events import (
    EventsOf,
    FoundEvent,
    Order,
    select_days_with_events,
    select_single_events,
    set_statement_timeout,
)
from app.core.rollups.time_range import TimeRange

MOST_EVENTS = 50
LONGEST_LOOK_SECONDS = 4.0
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SingleEvents:
    """At most MOST_EVENTS, in the order that was asked for, out of those since `looked_since`.

    `is_whole`: nothing that lies further back in the range could stand among them. `only` as in PromptOverview.
    """

    name: str | None
    only: list[VersionKey]
    events: list[FoundEvent]
    looked_since: datetime
    is_whole: bool


def read_single_events(
    connection: Connection,
    project_id: int,
    prompt_id: UUID,
    time_range: TimeRange,
    *,
    only: tuple[str, ...],
    order: Order,
    clock: Callable[[], float] = time.monotonic,
) -> SingleEvents:
    """Of a prompt, or of `only` some of its versions; `connection` is in autocommit mode.

    Raises NotFound for a prompt that the project has never used, or for a version that is named.
    """
    until = clock() + LONGEST_LOOK_SECONDS
    prompt = find_prompt(connection, project_id, prompt_id)
    versions = find_versions(connection, prompt.prompt_key, only)
    whose = EventsOf(project_id, prompt.prompt_key, keys_of(versions))
    found: list[FoundEvent] = []
    since, is_whole = time_range.end, False
    for day in select_days_with_events(connection, whose, start=time_range.start, end=time_range.end):
        events = _of_day(connection, whose, day, time_range, order=order, seconds=until - clock())
        if events is None:
            break
        found = heapq.nsmallest(MOST_EVENTS, [*found, *events], key=_ORDERS[order])
        since = max(day, time_range.start)
        if order == "latest" and len(found) == MOST_EVENTS:
            is_whole = True
            break
    else:
        since, is_whole = time_range.start, True
    return SingleEvents(prompt.name, versions, found, since, is_whole)


def _of_day(
    connection: Connection, whose: EventsOf, day: datetime, time_range: TimeRange, *, order: Order, seconds: float
) -> list[FoundEvent] | None:
    """None where there is no time left for it."""
    if seconds <= 0:
        return None
    start, end = max(day, time_range.start), min(day + _DAY, time_range.end)
    try:
        with database_errors(), connection.transaction():
            set_statement_timeout(connection, seconds)
            return select_single_events(
                connection, whose, day.date(), start=start, end=end, order=order, limit=MOST_EVENTS
            )
    except DatabaseTooSlow:
        return None


def _latest_first(event: FoundEvent) -> float:
    return -event.occurred_at.timestamp()


def _largest_first(number: Decimal | None) -> Decimal:
    return -number if number is not None else Decimal(0)


_ORDERS: dict[Order, Callable[[FoundEvent], tuple[Decimal | float, ...]]] = {
    "latest": lambda event: (_latest_first(event),),
    "slowest": lambda event: (_largest_first(event.latency_ms), _latest_first(event)),
    "dearest": lambda event: (_largest_first(event.cost_usd), _latest_first(event)),
    "lowest": lambda event: (event.score or Decimal(0), _latest_first(event)),
}
