"""Who sends more new prompts and versions than are registered, and with which keys: for people to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import redis

from app.core.database import Connection
from app.core.errors import Rejected, Unavailable
from app.core.operations.tallies import count_events_by_key
from app.core.queries.key_facts import KeyName, select_busiest_keys
from app.core.queries.overflows import Overflow, select_overflows

TOLD_FOR = timedelta(days=1)
"""Today's are told, and yesterday's, for who looks just after midnight."""
MOST_KEYS = 5


@dataclass(frozen=True, slots=True)
class ToldOverflow:
    """`keys` are those of the project that sent events in the last 24 hours, the busiest first, as far as is known."""

    overflow: Overflow
    keys: Sequence[KeyName]


@dataclass(frozen=True, slots=True)
class ToldOverflows:
    """The latest of them; `more`: whether there are others."""

    shown: Sequence[ToldOverflow]
    more: bool


def read_overflows(
    connection: Connection,
    client: redis.Redis,
    now: datetime,
    *,
    project_id: int | None,
    prompt_id: UUID | None = None,
    limit: int,
) -> ToldOverflows:
    """Of the whole service, of a project or of one of its prompts."""
    since = (now - TOLD_FOR).date()
    found = select_overflows(connection, since, project_id=project_id, prompt_id=prompt_id, limit=limit + 1)
    events = _events_by_key(client, now) if found else {}
    keys = {
        each: select_busiest_keys(connection, each, events, limit=MOST_KEYS)
        for each in {overflow.project_id for overflow in found}
    }
    shown = [ToldOverflow(overflow, keys[overflow.project_id]) for overflow in found[:limit]]
    return ToldOverflows(shown, len(found) > limit)


def _events_by_key(client: redis.Redis, now: datetime) -> Mapping[int, int]:
    try:
        return count_events_by_key(client, now)
    except (Rejected, Unavailable):
        return {}
