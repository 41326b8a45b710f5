"""Storing imported events: those that are new, and their share of the rollups, in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from app.core.database import Connection
from app.core.queries.additions import take_fold_lock
from app.core.queries.dimensions import Version, VersionKeys, select_versions
from app.core.queries.events import create_incoming_events, insert_events, insert_new_events, select_contents
from app.core.queries.imported_versions import insert_versions_as_of
from app.core.queries.rollups import create_incoming_rollups, merge_rollups
from app.core.rollups.event_row import EventRow, PlainKey
from app.core.rollups.rollup import RollupKey, at_every_level, count_by_minute
from app.core.rollups.time_range import MINUTES_KEPT
from app.core.transfer.rows import EPOCH, ImportedEvent

MAX_REMEMBERED = 30_000
"""Versions; some 15 MB."""


class Stored(NamedTuple):
    """Of a batch: how many events were new, were there already, and were there under their id with other content."""

    new: int
    repeated: int
    conflicting: int


class ImportedEvents:
    """Stores batches of one project through one connection, and remembers which versions exist.

    Not by the worker's way: that takes an event whose Idempotency-Key came in the hour before for its repeat, where an
    import must keep what the other installation counted; and it leaves the rollups to a fold, which is made for what
    trickles in.
    """

    def __init__(self, connection: Connection, project_id: int, *, minutes_from: datetime) -> None:
        """Rollups of minutes before `minutes_from` are not made: an upkeep would delete them again."""
        self._connection = connection
        self._project_id = project_id
        self._minutes_from_seconds = minutes_from.timestamp()
        self._keys: dict[Version, VersionKeys] = {}
        create_incoming_events(connection)
        create_incoming_rollups(connection)

    def store(self, day: date, events: Sequence[ImportedEvent], *, is_empty: bool) -> Stored:
        """All or nothing. `is_empty`: the day seems to have no events yet, so that they can be copied straight.

        The day's partition must be there: raises PartitionMissing.
        """
        keys = self._keys_of(events)
        rows = {row.key: row for row in (self._row(event, day, keys[self._version(event)]) for event in events)}
        in_order = [rows[key] for key in sorted(rows)]
        with self._connection.transaction():
            if is_empty and insert_new_events(self._connection, in_order):
                new, repeated = in_order, {}
            else:
                new_keys = insert_events(self._connection, in_order)
                new = [row for row in in_order if row.key in new_keys]
                repeated = {key: row for key, row in rows.items() if key not in new_keys}
            conflicting = self._conflicting(repeated)
            if new:
                self._count(new)
        return Stored(len(new), len(events) - len(new), conflicting)

    def _count(self, new: Iterable[EventRow]) -> None:
        """What they add, last: rows of rollups stay locked until the end, and nobody folds or recounts meanwhile."""
        added = at_every_level(count_by_minute(new))
        take_fold_lock(self._connection, self._project_id)
        merge_rollups(self._connection, [(key, rollup) for key, rollup in added if self._is_kept(key)])

    def _is_kept(self, key: RollupKey) -> bool:
        return key.grain != "minute" or key.bucket_start_seconds >= self._minutes_from_seconds

    def _conflicting(self, repeated: Mapping[PlainKey, EventRow]) -> int:
        stored = select_contents(self._connection, repeated) if repeated else {}
        return sum(stored.get(key) != row.content for key, row in repeated.items())

    def _version(self, event: ImportedEvent) -> Version:
        return Version(self._project_id, event.prompt_id, event.version_hash)

    def _row(self, event: ImportedEvent, day: date, keys: VersionKeys) -> EventRow:
        return EventRow(
            self._project_id,
            keys.prompt_key,
            keys.version_key,
            day,
            event.event_id,
            event.occurred_at_ms,
            event.received_at_ms,
            event.latency_ms,
            event.cost_usd,
            event.score,
        )

    def _keys_of(self, events: Sequence[ImportedEvent]) -> dict[Version, VersionKeys]:
        """Registered where needed, before the batch: keys of a transaction that was rolled back are no keys.

        As of the first arrival among their events here, the time at which a worker would have registered them.
        """
        arrived_at_ms: dict[Version, int] = {}
        for event in events:
            version = self._version(event)
            arrived_at_ms[version] = min(event.received_at_ms, arrived_at_ms.get(version, event.received_at_ms))
        unknown = [version for version in arrived_at_ms if version not in self._keys]
        if unknown:
            found = select_versions(self._connection, unknown).versions
            missing = {
                version: EPOCH + timedelta(milliseconds=arrived_at_ms[version])
                for version in unknown
                if version not in found
            }
            if missing:
                with self._connection.transaction():
                    insert_versions_as_of(self._connection, missing)
                found |= select_versions(self._connection, list(missing)).versions
            if len(self._keys) + len(found) > MAX_REMEMBERED:
                self._keys = {version: keys for version, keys in self._keys.items() if version in arrived_at_ms}
            self._keys |= found
        return self._keys


def minutes_kept_from(now: datetime) -> datetime:
    """Since when there are rollups of minutes."""
    return now.astimezone(UTC) - MINUTES_KEPT
