"""The rows of the API-key page: what PostgreSQL knows of the keys, and what Redis knows of their use."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from app.core.errors import RedisUnavailable
from app.core.keys.lifecycle import KeyState, state_of
from app.core.keys.uses import last_used
from app.core.operations.tallies import count_events_by_key
from app.core.queries.api_keys import ApiKeyDescription, select_api_keys_of_project
from app.web.services import ask_database, services

SHOWN_KEYS = 100
CHUNK_KEYS = 1_000


class ListedKey(NamedTuple):
    """A key as a row of the table; `events` are those of the last 24 hours, None where they are not known now."""

    key: ApiKeyDescription
    state: KeyState
    last_used: datetime | None
    events: int | None


CSV_COLUMNS: dict[str, Callable[[ListedKey], object]] = {
    "id": lambda listed: listed.key.key_id,
    "name": lambda listed: listed.key.name,
    "prefix": lambda listed: listed.key.prefix,
    "state": lambda listed: listed.state.value,
    "scopes": lambda listed: " ".join(listed.key.scopes),
    "rate_limit": lambda listed: listed.key.rate_limit,
    "created_by": lambda listed: listed.key.created_by,
    "created_at": lambda listed: listed.key.created_at,
    "last_used_at": lambda listed: listed.last_used,
    "events_24h": lambda listed: listed.events,
    "expires_at": lambda listed: listed.key.expires_at,
    "revoked_at": lambda listed: listed.key.revoked_at,
    "replaced_by_id": lambda listed: listed.key.successor_id,
}


def all_keys(project_id: int) -> Iterator[ListedKey]:
    """All keys of a project, those that are not revoked first, then the newest."""
    for offset in itertools.count(step=CHUNK_KEYS):
        chunk = listed_keys(project_id, limit=CHUNK_KEYS, offset=offset)
        yield from chunk
        if len(chunk) < CHUNK_KEYS:
            return


def listed_keys(project_id: int, *, limit: int, offset: int) -> list[ListedKey]:
    """A part of them."""
    now = datetime.now(UTC)
    keys = ask_database(select_api_keys_of_project, project_id, limit=limit, offset=offset)
    used = when_used([key.key_id for key in keys])
    events = _events(now)
    return [
        ListedKey(
            key,
            state_of(key, now),
            used.get(key.key_id),
            None if events is None else events.get(key.key_id, 0),
        )
        for key in keys
    ]


def when_used(key_ids: Sequence[int]) -> dict[int, datetime]:
    """When these keys were last used; nothing where Redis does not answer, so that keys can be seen all the same."""
    try:
        return last_used(services().redis, key_ids)
    except RedisUnavailable:
        return {}


def _events(now: datetime) -> dict[int, int] | None:
    """The events of the last 24 hours by key; None where Redis does not answer."""
    try:
        return count_events_by_key(services().redis, now)
    except RedisUnavailable:
        return None
