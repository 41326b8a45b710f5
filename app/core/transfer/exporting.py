"""Export: the raw events of a project, a file for each UTC day as of one moment, checked against the ledger."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import NamedTuple

from app.core.database import Connection
from app.core.errors import TransferRefused
from app.core.queries.day_totals import (
    DayTotals,
    RolledUpDay,
    select_event_totals,
    select_rolled_up_days,
    select_rolled_up_totals,
)
from app.core.queries.exported_events import ExportCursor, declare_events_of_day, one_moment, read_rows
from app.core.queries.maintenance import select_now
from app.core.queries.partitions import select_first_day, select_partitioned_days
from app.core.transfer.files import WRITERS
from app.core.transfer.manifest import (
    DayFile,
    Format,
    Manifest,
    file_name,
    read_manifest,
    sha256_of,
    write_manifest,
)
from app.core.transfer.places import Place
from app.core.transfer.progress import DayProgress, Tell
from app.core.transfer.rows import RunningTotals


@dataclass(frozen=True, slots=True, kw_only=True)
class Miscounted:
    """A day whose rollups do not hold as many events, or other sums, than there are."""

    day: date
    events: int
    rolled_up: int


@dataclass(slots=True, kw_only=True)
class ExportReport:
    """`gone`: days that were asked for, have no file, and of which only rollups are left.

    Other days without a file have no events. `fewer`: days whose file has more events than there are, and was kept.
    """

    manifest: Manifest
    gone: list[RolledUpDay] = field(default_factory=list)
    written: int = 0
    unchanged: int = 0
    miscounted: list[Miscounted] = field(default_factory=list)
    fewer: list[date] = field(default_factory=list)


class _Hands(NamedTuple):
    """What a day passes through."""

    connection: Connection
    place: Place
    tell: Tell
    clock: Callable[[], float]


class Moment(NamedTuple):
    """A day as of one moment; its events are read afterwards, and are None where there are none, or no new ones."""

    totals: DayTotals
    rolled_up: DayTotals
    as_of: datetime
    events: ExportCursor | None


def export_days(
    connection: Connection,
    place: Place,
    wanted: Manifest,
    *,
    first: date | None,
    last: date | None,
    tell: Tell,
    clock: Callable[[], float],
) -> ExportReport:
    """Write the days from `first` to `last`, both included; without them, all that there are.

    `wanted` says whose and how. Days whose file is there and whose events add up to the same stay as they are, and so
    do files of other days. Raises PlaceUnusable, TransferRefused and BadExport; run again, it goes on where it was. The
    connection is one in autocommit mode.
    """
    report = ExportReport(manifest=_begun(place, wanted))
    hands = _Hands(connection, place, tell, clock)
    for day in select_partitioned_days(connection):
        if _is_between(day, first, last):
            _export_day(hands, day, report)
    report.gone = [each for each in _gone(connection, report.manifest) if _is_between(each.day, first, last)]
    _note(place, report, replace(report.manifest, is_complete=True))
    return report


def _note(place: Place, report: ExportReport, manifest: Manifest) -> None:
    if manifest != report.manifest:
        write_manifest(place, manifest)
        report.manifest = manifest


def _is_between(day: date, first: date | None, last: date | None) -> bool:
    return (first is None or day >= first) and (last is None or day <= last)


def _gone(connection: Connection, manifest: Manifest) -> list[RolledUpDay]:
    """Days before the first that has raw events, without those that were exported in time."""
    first_day = select_first_day(connection)
    if first_day is None:
        return []
    days = select_rolled_up_days(connection, manifest.project_number, before=first_day)
    return [each for each in days if manifest.file_of(each.day) is None]


def _begun(place: Place, wanted: Manifest) -> Manifest:
    """What is there already, marked as not complete. Raises TransferRefused where something else is."""
    found = read_manifest(place)
    begun = wanted if found is None else replace(found, is_complete=False)
    if replace(begun, files=(), project=wanted.project) != replace(wanted, files=()):
        raise TransferRefused(
            "there is another export already: of another project or installation, or in another format; "
            "choose another place"
        )
    begun = replace(begun, project=wanted.project)
    write_manifest(place, begun)
    return begun


def _export_day(hands: _Hands, day: date, report: ExportReport) -> None:
    known = report.manifest.file_of(day)
    if known is not None and hands.place.size_of(known.name) != known.bytes:
        known = None
    moment = _moment(hands.connection, report.manifest.project_number, day, known)
    if not moment.totals.events and day not in select_partitioned_days(hands.connection):
        return  # dropped a moment ago: a file that is there is all that is left
    if moment.totals != moment.rolled_up:
        report.miscounted.append(Miscounted(day=day, events=moment.totals.events, rolled_up=moment.rolled_up.events))
    if known is not None and known.totals == moment.totals:
        report.unchanged += 1
        return
    if known is not None and moment.totals.events < known.events:
        # events only ever go with their whole day: so these are another database's
        report.fewer.append(day)
        return
    # What is written over must not be vouched for.
    _note(hands.place, report, report.manifest.with_day(day, None))
    if moment.events is None:
        hands.place.remove(file_name(day, report.manifest.format))
        return
    with moment.events:
        progress = DayProgress(day, moment.totals.events, hands.tell, hands.clock)
        file = _write_day(hands.place, day, report.manifest.format, moment, progress)
    _note(hands.place, report, report.manifest.with_day(day, file))
    report.written += 1
    hands.tell(f"{day}: {file.events:,} events, {file.bytes:,} bytes, {progress.seconds:.1f} s")


def _moment(connection: Connection, project_id: int, day: date, known: DayFile | None) -> Moment:
    with one_moment(connection):
        totals = select_event_totals(connection, project_id, day)
        rolled_up = select_rolled_up_totals(connection, project_id, day)
        is_wanted = totals.events > 0 and (known is None or (known.totals != totals and known.events <= totals.events))
        events = declare_events_of_day(connection, project_id, day) if is_wanted else None
        return Moment(totals, rolled_up, select_now(connection), events)


def _write_day(place: Place, day: date, of_format: Format, moment: Moment, progress: DayProgress) -> DayFile:
    assert moment.events is not None
    name = file_name(day, of_format)
    written = RunningTotals()
    with place.writing(name) as path:
        with WRITERS[of_format](path) as write:
            for rows in read_rows(moment.events):
                write(rows)
                written.add(rows)
                progress.add(len(rows))
        if written.totals != moment.totals:
            raise TransferRefused(
                f"{day}: {moment.totals.events} events are stored, and {written.events} could be read: the versions "
                "of the others are not in the table prompt_versions, or their numbers are none"
            )
        size, sha256 = path.stat().st_size, sha256_of(path)
    return _day_file(day, name, moment, size, sha256)


def _day_file(day: date, name: str, moment: Moment, size: int, sha256: str) -> DayFile:
    return DayFile(
        day=day,
        name=name,
        bytes=size,
        sha256=sha256,
        events=moment.totals.events,
        latency_ms_sum=moment.totals.latency_sum,
        cost_usd_sum=moment.totals.cost_sum,
        score_sum=moment.totals.score_sum,
        ledger_events=moment.rolled_up.events,
        as_of=moment.as_of,
    )
