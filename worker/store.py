"""Store one batch: new events, and what they add to the rollups, in one transaction, each event exactly once."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.core.database import Connection, database_errors
from app.core.errors import PartitionMissing, UndecodableEntry
from app.core.queries.additions import append_additions
from app.core.queries.dimensions import Version, VersionKeys, insert_versions, select_version_keys
from app.core.queries.events import create_incoming_events, inserting, select_contents
from app.core.queries.ledger import Outcome, Sightings, insert_sightings
from app.core.queries.partitions import ensure_partitions
from app.core.rollups.event_row import EventKey, EventRow
from app.core.rollups.rollup import count_by_minute
from app.core.stream.entries import Entry
from app.core.stream.events import LAST_STORABLE_MS, Event, decode_event
from app.core.stream.numbering import runs_by_series
from worker.late_repeats import late_repeats

DAY_MS = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_CACHED_VERSIONS = 100_000


class ReceivedEvent(NamedTuple):
    """A decoded entry. `received_at_ms`: milliseconds since the epoch by Redis's clock. `label`: that of the entry."""

    event: Event
    received_at_ms: int
    label: bytes | None = None

    @property
    def occurred_at_ms(self) -> int:
        """The event's own time, else that of its entry."""
        own = self.event.occurred_at_ms
        return self.received_at_ms if own is None else own


class StoreReport(NamedTuple):
    """How many events were new, and the positions in the batch of those whose id is stored with other content."""

    new: int
    conflicting: list[int]


class _Placed(NamedTuple):
    """A row, and where its event stands in the batch."""

    position: int
    row: EventRow


class EventStore:
    """Writes batches through one connection. It remembers which versions and partitions exist."""

    def __init__(self) -> None:
        self._version_keys: dict[Version, VersionKeys] = {}
        self._days: set[date] = set()

    def store(self, connection: Connection, batch: Sequence[ReceivedEvent]) -> StoreReport:
        """Store the events that are not stored yet.

        All or nothing: raises RejectedByDatabase where PostgreSQL refuses the data of at least one event, and
        DatabaseUnavailable or one of its kinds for anything else; then nothing of the batch is stored.
        """
        try:
            return self._store(connection, batch)
        except PartitionMissing:
            # one that it remembers has gone
            self._days.clear()
            return self._store(connection, batch)

    def _store(self, connection: Connection, batch: Sequence[ReceivedEvent]) -> StoreReport:
        with database_errors():
            self._learn_versions(connection, batch)
            self._make_partitions(connection, batch)
            distinct, conflicting = self._distinct(batch)
            with connection.transaction():
                conflicting += _take_out_late_repeats(connection, batch, distinct)
                rows = [distinct[key].row for key in sorted(distinct)]
                create_incoming_events(connection)
                with inserting(connection, rows) as insertion:
                    additions = count_by_minute(rows)
                stored = {placed.position for placed in distinct.values()}
                if not insertion.all_new:
                    repeats = {key: distinct[key] for key in distinct.keys() - insertion.new_keys}
                    conflicting += _conflicting(connection, repeats)
                    rows = [row for row in rows if row.key in insertion.new_keys]
                    additions = count_by_minute(rows)
                    stored = {distinct[key].position for key in insertion.new_keys}
                insert_sightings(connection, _sightings(batch, stored, set(conflicting)))
                append_additions(connection, additions)
        return StoreReport(len(rows), conflicting)

    def _learn_versions(self, connection: Connection, batch: Sequence[ReceivedEvent]) -> None:
        """Look up, and where needed create, the keys of the batch's versions.

        They are committed before the batch: keys of a transaction that was rolled back must never be remembered.
        """
        versions = {_version(received.event) for received in batch}
        unknown = versions - self._version_keys.keys()
        if not unknown:
            return
        if len(self._version_keys) + len(unknown) > MAX_CACHED_VERSIONS:
            self._version_keys.clear()
            unknown = versions
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

    def _distinct(self, batch: Sequence[ReceivedEvent]) -> tuple[dict[EventKey, _Placed], list[int]]:
        """What to store by its key, where several have one key the first of them.

        Also the positions of those that have the key of an earlier one and other content.
        """
        distinct: dict[EventKey, _Placed] = {}
        conflicting = []
        for position, received in enumerate(batch):
            row = self._row(received)
            first = distinct.setdefault(row.key, _Placed(position, row))
            if first.position != position and first.row.content != row.content:
                conflicting.append(position)
        return distinct, conflicting

    def _row(self, received: ReceivedEvent) -> EventRow:
        event, occurred_at_ms = received.event, received.occurred_at_ms
        keys = self._version_keys[_version(event)]
        return EventRow(
            event.project_id,
            keys.prompt_key,
            keys.version_key,
            _day(occurred_at_ms // DAY_MS),
            event.event_id,
            occurred_at_ms,
            received.received_at_ms,
            event.latency_ms,
            event.cost_usd,
            event.score,
        )


def _take_out_late_repeats(
    connection: Connection, batch: Sequence[ReceivedEvent], distinct: dict[EventKey, _Placed]
) -> list[int]:
    """Leave only what has not come under another id; returns the positions of those that had other content then."""
    untimed: dict[EventKey, EventRow] = {}
    timed: dict[EventKey, EventRow] = {}
    for key, placed in distinct.items():
        (untimed if batch[placed.position].event.occurred_at_ms is None else timed)[key] = placed.row
    repeats = late_repeats(connection, untimed, hours=-1) | late_repeats(connection, timed, hours=1)
    placed_and_first = [(distinct.pop(key), content) for key, content in repeats.items()]
    return [placed.position for placed, content in placed_and_first if placed.row.content != content]


def _conflicting(connection: Connection, repeats: Mapping[EventKey, _Placed]) -> list[int]:
    """The positions of those repeats that are stored with other content.

    An Idempotency-Key that is used again after its mark in Redis has gone, for another event on the same day.
    """
    stored = select_contents(connection, repeats)
    return [placed.position for key, placed in repeats.items() if stored.get(key) != placed.row.content]


def _sightings(batch: Sequence[ReceivedEvent], stored: Collection[int], conflicting: Collection[int]) -> Sightings:
    """What the ledger is to know of the batch, but for conflicting events: who sets them aside says so."""
    labels: dict[Outcome, list[bytes]] = {"stored": [], "repeated": []}
    for position, received in enumerate(batch):
        if received.label is not None and position not in conflicting:
            labels["stored" if position in stored else "repeated"].append(received.label)
    return {
        (series, outcome): runs for outcome, found in labels.items() for series, runs in runs_by_series(found).items()
    }


def decode_entry(entry: Entry) -> ReceivedEvent:
    """The event in an entry of the buffer. Raises UndecodableEntry."""
    if entry.received_at_ms > LAST_STORABLE_MS:
        raise UndecodableEntry("the time of the entry is out of range")
    return ReceivedEvent(decode_event(entry.payload), entry.received_at_ms, entry.label)


def received_at(entry: Entry) -> datetime:
    """When Redis took the entry; the last storable moment for an entry whose time is out of range."""
    return _time(min(entry.received_at_ms, LAST_STORABLE_MS))


def _version(event: Event) -> Version:
    return Version(event.project_id, event.prompt_id, event.version_hash)


def _time(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


@lru_cache(maxsize=100)
def _day(days_since_epoch: int) -> date:
    return (EPOCH + timedelta(days=days_since_epoch)).date()
