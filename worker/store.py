"""Store one batch: new events and their rollups in one transaction, each event exactly once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.core.database import Connection, database_errors
from app.core.errors import UndecodableEntry
from app.core.queries.binary_copy import timestamp_microseconds
from app.core.queries.dimensions import Version, VersionKeys, insert_versions, select_version_keys
from app.core.queries.events import (
    EventContent,
    EventKey,
    EventRow,
    create_incoming_events,
    insert_events,
    select_contents,
)
from app.core.queries.partitions import ensure_partitions
from app.core.queries.rollups import create_incoming_rollups, merge_rollups
from app.core.rollups.rollup import Observation, roll_up
from app.core.stream.buffer import Entry
from app.core.stream.events import LAST_STORABLE_MS, Event, decode_event

DAY_MS = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_CACHED_VERSIONS = 100_000


class ReceivedEvent(NamedTuple):
    """A decoded entry. `received_at_ms`: milliseconds since the epoch by Redis's clock."""

    event: Event
    received_at_ms: int

    @property
    def occurred_at_ms(self) -> int:
        """The event's own time, else that of its entry."""
        own = self.event.occurred_at_ms
        return self.received_at_ms if own is None else own


class StoreReport(NamedTuple):
    """How many events were new, and the positions in the batch of those whose id is stored with other content."""

    new: int
    conflicting: list[int]


class EventStore:
    """Writes batches through one connection. It remembers which versions and partitions exist."""

    def __init__(self) -> None:
        self._version_keys: dict[Version, VersionKeys] = {}
        self._days: set[date] = set()

    def store(self, connection: Connection, batch: Sequence[ReceivedEvent]) -> StoreReport:
        """Store the events that are not stored yet.

        All or nothing: raises RejectedByDatabase where PostgreSQL refuses the data of at least one event, and
        DatabaseUnavailable for anything else; then nothing of the batch is stored.
        """
        with database_errors():
            self._learn_versions(connection, batch)
            self._make_partitions(connection, batch)
            distinct, conflicting = self._distinct(batch)
            with connection.transaction():
                create_incoming_events(connection)
                create_incoming_rollups(connection)
                observations = [event for _, event in distinct.values()]
                new, rollups = insert_events(
                    connection,
                    (
                        _event_row(key, event, batch[position].received_at_ms)
                        for key, (position, event) in distinct.items()
                    ),
                    meanwhile=lambda: roll_up(observations),
                )
                if new is not None:
                    observations = [distinct[key][1] for key in new]
                    rollups = roll_up(observations)
                    repeats = {key: distinct[key] for key in distinct.keys() - set(new)}
                    conflicting += _conflicting(connection, repeats)
                merge_rollups(connection, rollups)
        return StoreReport(len(observations), conflicting)

    def _learn_versions(self, connection: Connection, batch: Sequence[ReceivedEvent]) -> None:
        """Look up, and where needed create, the keys of the batch's versions.

        They are committed before the batch: keys of a transaction that was rolled back must never be remembered.
        """
        unknown = {_version(received.event) for received in batch} - self._version_keys.keys()
        if not unknown:
            return
        if len(self._version_keys) + len(unknown) > MAX_CACHED_VERSIONS:
            self._version_keys.clear()
            unknown = {_version(received.event) for received in batch}
        known = select_version_keys(connection, unknown)
        if len(known) < len(unknown):
            with connection.transaction():
                insert_versions(connection, unknown - known.keys())
            known |= select_version_keys(connection, unknown - known.keys())
        self._version_keys |= known

    def _make_partitions(self, connection: Connection, batch: Sequence[ReceivedEvent]) -> None:
        missing = {_day(received.occurred_at_ms // DAY_MS) for received in batch} - self._days
        for day in sorted(missing):
            ensure_partitions(connection, day, day)
        self._days |= missing

    def _distinct(self, batch: Sequence[ReceivedEvent]) -> tuple[dict[EventKey, tuple[int, Observation]], list[int]]:
        """What to store, in the order of its key, with its position; of several with one key the first counts.

        Also the positions of those that have the key of an earlier one and other content.
        """
        distinct: dict[EventKey, tuple[int, Observation]] = {}
        conflicting = []
        for position, received in enumerate(batch):
            event = received.event
            occurred_at_ms = received.occurred_at_ms
            key = EventKey(event.project_id, _day(occurred_at_ms // DAY_MS), event.event_id)
            observation = Observation(
                event.project_id,
                *self._version_keys[_version(event)],
                occurred_at_ms,
                event.latency_ms,
                event.cost_usd,
                event.score,
            )
            first_position, first = distinct.setdefault(key, (position, observation))
            if first_position != position and _content(first) != _content(observation):
                conflicting.append(position)
        return {key: distinct[key] for key in sorted(distinct)}, conflicting


def _conflicting(connection: Connection, repeats: Mapping[EventKey, tuple[int, Observation]]) -> list[int]:
    """The positions of those repeats that are stored with other content.

    An Idempotency-Key that is used again after its mark in Redis has gone, for another event on the same day.
    """
    stored = select_contents(connection, repeats)
    return [position for key, (position, event) in repeats.items() if stored.get(key) != _content(event)]


def _content(event: Observation) -> EventContent:
    return EventContent(event.version_key, event.latency_ms, event.cost_usd, event.score)


def decode_entry(entry: Entry) -> ReceivedEvent:
    """The event in an entry of the buffer. Raises UndecodableEntry."""
    if entry.received_at_ms > LAST_STORABLE_MS:
        raise UndecodableEntry("the time of the entry is out of range")
    return ReceivedEvent(decode_event(entry.payload), entry.received_at_ms)


def received_at(entry: Entry) -> datetime:
    """When Redis took the entry; the last storable moment for an entry whose time is out of range."""
    return _time(min(entry.received_at_ms, LAST_STORABLE_MS))


def _event_row(key: EventKey, event: Observation, received_at_ms: int) -> EventRow:
    return EventRow(
        *key,
        event.version_key,
        timestamp_microseconds(event.occurred_at_ms),
        timestamp_microseconds(received_at_ms),
        event.latency_ms,
        event.cost_usd,
        event.score,
    )


def _version(event: Event) -> Version:
    return Version(*event[1:4])


def _time(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


@lru_cache(maxsize=100)
def _day(days_since_epoch: int) -> date:
    return (EPOCH + timedelta(days=days_since_epoch)).date()
