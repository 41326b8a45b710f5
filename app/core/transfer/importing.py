"""Import: the files of an export into a project, each event exactly once, however often it is begun."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from app.core.database import Connection
from app.core.errors import BadExport, TransferRefused
from app.core.queries.day_totals import DayTotals, select_event_totals, select_rolled_up_totals
from app.core.queries.exported_events import one_moment
from app.core.queries.partitions import ensure_partitions
from app.core.transfer.files import READERS
from app.core.transfer.manifest import NAME, DayFile, Manifest, read_manifest, sha256_of
from app.core.transfer.names import Names
from app.core.transfer.places import Place
from app.core.transfer.progress import DayProgress, Tell
from app.core.transfer.rows import ImportedEvent, ReadRow, RunningTotals, checked_event
from app.core.transfer.storing import ImportedEvents, minutes_kept_from

EVENTS_AT_ONCE = 10_000
"""One transaction: the more, the fewer rows of rollups for an event, and the longer folds of the project wait."""


@dataclass(slots=True)
class ImportReport:
    """What became of the events of all files. `conflicting` ones are stored with other content, and stay so."""

    days: int = 0
    new: int = 0
    repeated: int = 0
    conflicting: int = 0
    skipped: list[DayFile] = field(default_factory=list)


class _Hands(NamedTuple):
    """What a day passes through."""

    connection: Connection
    project_id: int
    events: ImportedEvents
    names: Names
    read: Callable[[Path], Iterator[list[ReadRow]]]
    tell: Tell
    clock: Callable[[], float]


def whole_manifest(place: Place) -> Manifest:
    """The manifest of an export that came to its end, and whose files are there. Raises BadExport."""
    manifest = read_manifest(place)
    if manifest is None:
        raise BadExport(f"there is no {NAME}: this is no export")
    if not manifest.is_complete:
        raise BadExport("this export was broken off: run the same `export` again, which goes on where it was")
    for file in manifest.files:
        if (size := place.size_of(file.name)) != file.bytes:
            found = "is missing" if size is None else f"has {size} bytes instead of {file.bytes}"
            raise BadExport(f"{file.name} {found}")
    return manifest


def without_expired(manifest: Manifest, *, keep_from: date, skip_expired: bool) -> tuple[Manifest, list[DayFile]]:
    """What can stay, and the files of days before `keep_from`. Raises TransferRefused where these are not skipped."""
    expired = [file for file in manifest.files if file.day < keep_from]
    if expired and not skip_expired:
        raise TransferRefused(
            f"{len(expired)} days before {keep_from} are past RETENTION_DAYS, and a worker would drop their raw events "
            "within the hour. Nothing was stored: raise RETENTION_DAYS, here and for the workers, or leave these days "
            "out by --skip-expired"
        )
    return manifest.with_files(file for file in manifest.files if file.day >= keep_from), expired


def import_days(
    connection: Connection,
    place: Place,
    manifest: Manifest,
    project_id: int,
    *,
    now: datetime,
    tell: Tell,
    clock: Callable[[], float],
) -> ImportReport:
    """Store the events of all files, one day after another.

    Raises BadExport and PlaceUnusable before anything of a bad file is stored, and TransferRefused where a day cannot
    be counted exactly. What was stored by then stays, and the same import goes on from there. The connection is one
    in autocommit mode.
    """
    report = ImportReport()
    hands = _Hands(
        connection,
        project_id,
        ImportedEvents(connection, project_id, minutes_from=minutes_kept_from(now)),
        Names(),
        READERS[manifest.format],
        tell,
        clock,
    )
    for file in manifest.files:
        with place.reading(file.name) as path:
            _check_file(path, file, hands)
            _store_file(path, file, hands, report)
        report.days += 1
    hands.names.give(connection, project_id)
    return report


def _check_file(path: Path, file: DayFile, hands: _Hands) -> None:
    """Raises BadExport, with the name of the file, unless all that is in it can be stored and adds up."""
    if sha256_of(path) != file.sha256:
        raise BadExport(f"{file.name}: its SHA-256 is not that of the manifest; nothing of it was stored")
    read = RunningTotals()
    try:
        for rows in hands.read(path):
            for row in rows:
                checked_event(row, file.day)
            read.add(rows)
    except BadExport as error:
        raise BadExport(f"{file.name}: {error}; nothing of it was stored") from error
    if read.totals != file.totals:
        raise BadExport(f"{file.name}: its events do not add up to what the manifest says; nothing of it was stored")


def _store_file(path: Path, file: DayFile, hands: _Hands, report: ImportReport) -> None:
    progress = DayProgress(file.day, file.events, hands.tell, hands.clock)
    before = _checked_totals(hands, file.day)
    ensure_partitions(hands.connection, file.day, file.day)
    new = 0
    for events in _batches(checked_event(row, file.day) for rows in hands.read(path) for row in rows):
        hands.names.note(events)
        stored = hands.events.store(file.day, events, is_empty=before.events == 0)
        new += stored.new
        report.repeated += stored.repeated
        report.conflicting += stored.conflicting
        progress.add(len(events))
    report.new += new
    _checked_totals(hands, file.day)
    hands.tell(f"{file.day}: {file.events:,} events, {new:,} of them new, {progress.seconds:.1f} s")


def _checked_totals(hands: _Hands, day: date) -> DayTotals:
    """Of the events that are stored. Raises TransferRefused where the rollups do not say the same.

    Where raw events were dropped, their keys are gone, too: what comes again would count twice.
    """
    with one_moment(hands.connection):
        totals = select_event_totals(hands.connection, hands.project_id, day)
        rolled_up = select_rolled_up_totals(hands.connection, hands.project_id, day)
    if totals == rolled_up:
        return totals
    if totals.events < rolled_up.events:
        raise TransferRefused(
            f"{day}: {rolled_up.events} events are in the totals here, and {totals.events} as raw events: those that "
            "were dropped would count twice. Where none were dropped, `recount` that day"
        )
    raise TransferRefused(f"{day}: the totals here are not those of the raw events: `recount` that day first")


def _batches(events: Iterable[ImportedEvent]) -> Iterator[list[ImportedEvent]]:
    events = iter(events)
    while batch := list(islice(events, EVENTS_AT_ONCE)):
        yield batch
