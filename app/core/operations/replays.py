"""What became of dead letters that were replayed: followed for an hour, for the page on which somebody clicked.

A hash in Redis for a project, and one for the whole service: by the id of the new entry, what became of it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, NamedTuple

import orjson
import redis

from app.core.database import Connection
from app.core.errors import UndecodableEntry
from app.core.queries.dead_letters import DeletedLetter, select_set_aside
from app.core.queries.events import select_contents
from app.core.redis_client import redis_errors
from app.core.rollups.event_row import EventKey
from app.core.stream.entries import milliseconds_of
from app.core.stream.events import decode_event
from app.core.stream.streams import key_of, place_of

KEPT_SECONDS = 3_600
MOST_FOLLOWED = 1_000
"""So many at once; with more the count begins anew."""
_PREFIX = "pa:replays:"

Fate = Literal["stored", "set aside", "gone", ""]
"""`gone`: set aside again, and taken out since. Empty while the entry waits in the buffer."""


class Replayed(NamedTuple):
    """A letter that was put back, by its entry's id then and the event in it, if there is one."""

    first_id: str
    event: EventKey | None
    fate: Fate = ""


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What became of the letters that were replayed since a moment, in UTC by Redis's clock."""

    since: datetime
    stored: int
    set_aside: int
    gone: int
    waiting: int

    @property
    def letters(self) -> int:
        return self.stored + self.set_aside + self.gone + self.waiting


def replayed(letter: DeletedLetter) -> Replayed:
    """What is followed of a letter. Its day is that of its event, or of its first arrival."""
    try:
        event = decode_event(letter.payload)
    except UndecodableEntry:
        return Replayed(letter.entry_id, None)
    at = (
        letter.received_at
        if event.occurred_at_ms is None
        else datetime.fromtimestamp(event.occurred_at_ms / 1_000, UTC)
    )
    return Replayed(letter.entry_id, EventKey(event.project_id, at.astimezone(UTC).date(), event.event_id))


def follow_replays(client: redis.Redis, project_id: int | None, letters: Mapping[str, Replayed]) -> None:
    """Follow letters, by the ids of their new entries, beside those of the last hour.

    One that was replayed before counts once. Raises RedisFull and RedisUnavailable.
    """
    if not letters:
        return
    key, known = _key(project_id), _read(client, project_id)
    again = {each.first_id for each in letters.values()}
    is_full = len(known) + len(letters) > MOST_FOLLOWED
    old = [entry_id for entry_id, each in known.items() if is_full or {each.first_id, entry_id} & again]
    with redis_errors(), client.pipeline(transaction=True) as pipeline:
        if old:
            pipeline.hdel(key, *old)
        pipeline.hset(
            key, mapping={entry_id: _encoded(letters[entry_id]) for entry_id in list(letters)[:MOST_FOLLOWED]}
        )
        pipeline.expire(key, KEPT_SECONDS)
        pipeline.execute()


def report_replays(client: redis.Redis, connection: Connection, project_id: int | None) -> ReplayReport | None:
    """What became of them by now; None where none was replayed in the last hour. Raises RedisUnavailable.

    What has become of an entry is written down, because a letter that was set aside again may be taken out later.
    """
    known = _read(client, project_id)
    if not known:
        return None
    settled = newly_settled(client, connection, known)
    if settled:
        with redis_errors():
            client.hset(_key(project_id), mapping={entry_id: _encoded(each) for entry_id, each in settled.items()})
    return report_of(known | settled)


def newly_settled(client: redis.Redis, connection: Connection, letters: Mapping[str, Replayed]) -> dict[str, Replayed]:
    """Those that have waited until now, by the ids of their new entries, with what became of them."""
    left = _left_the_stream(client, [entry_id for entry_id, each in letters.items() if not each.fate])
    fates = _fates(connection, {entry_id: letters[entry_id] for entry_id in left})
    return {entry_id: letters[entry_id]._replace(fate=fate) for entry_id, fate in fates.items()}


def report_of(letters: Mapping[str, Replayed]) -> ReplayReport:
    """Call it with one letter at least."""
    count = Counter(each.fate for each in letters.values())
    first_ms = min(milliseconds_of(entry_id.encode()) for entry_id in letters)
    since = datetime.fromtimestamp(first_ms / 1_000, UTC)
    return ReplayReport(since, count["stored"], count["set aside"], count["gone"], count[""])


def _left_the_stream(client: redis.Redis, entry_ids: Sequence[str]) -> list[str]:
    with redis_errors(), client.pipeline(transaction=False) as pipeline:
        for entry_id in entry_ids:
            stream, redis_id = place_of(entry_id)
            pipeline.xrange(key_of(client, stream), redis_id, redis_id)
        found: list[Any] = pipeline.execute()
    return [entry_id for entry_id, entries in zip(entry_ids, found, strict=True) if not entries]


def _fates(connection: Connection, entries: Mapping[str, Replayed]) -> dict[str, Fate]:
    """Of entries that have left the stream, so after whatever became of them was committed."""
    if not entries:
        return {}
    # under its first id, or where that was none under the one of this entry
    set_aside = select_set_aside(connection, [*entries, *(each.first_id for each in entries.values())])
    stored = select_contents(connection, {each.event for each in entries.values() if each.event})
    return {
        entry_id: "set aside" if {each.first_id, entry_id} & set_aside else "stored" if each.event in stored else "gone"
        for entry_id, each in entries.items()
    }


def _key(project_id: int | None) -> str:
    return f"{_PREFIX}{'all' if project_id is None else project_id}"


def _read(client: redis.Redis, project_id: int | None) -> dict[str, Replayed]:
    with redis_errors():
        fields: Any = client.hgetall(_key(project_id))
    return {entry_id.decode(): _decoded(value) for entry_id, value in fields.items()}


def _encoded(each: Replayed) -> bytes:
    event = each.event and (each.event.project_id, each.event.day, each.event.event_id.hex())
    return orjson.dumps([each.first_id, event, each.fate])


def _decoded(value: bytes) -> Replayed:
    first_id, event, fate = orjson.loads(value)
    if event is None:
        return Replayed(first_id, None, fate)
    project_id, day, event_id = event
    return Replayed(first_id, EventKey(project_id, date.fromisoformat(day), bytes.fromhex(event_id)), fate)
