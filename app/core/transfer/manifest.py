"""The manifest of an export: what its files are, and what is in them."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args

import orjson

from app.core.errors import BadExport
from app.core.queries.day_totals import DayTotals
from app.core.transfer.places import Place
from app.core.transfer.rows import exact_sum

NAME = "manifest.json"
SCHEMA_VERSION = 1
"""Of manifest and files, as docs/export.md has it."""

Format = Literal["parquet", "csv", "ndjson"]
FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFile:
    """The events of a UTC day. `ledger_events`: how many there were by the rollups at the same moment, `as_of`."""

    day: date
    name: str
    bytes: int
    sha256: str
    events: int
    latency_ms_sum: Decimal
    cost_usd_sum: Decimal
    score_sum: Decimal
    ledger_events: int
    as_of: datetime

    @property
    def totals(self) -> DayTotals:
        """What is in it."""
        return DayTotals(
            events=self.events,
            latency_sum=self.latency_ms_sum,
            cost_sum=self.cost_usd_sum,
            score_sum=self.score_sum,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`is_complete`: whether the export that wrote it last has come to its end. Files are in the order of their days.

    `project_number` and `secret_key_fingerprint` are what ids of events were made with.
    """

    format: Format
    project: str
    project_number: int
    secret_key_fingerprint: str
    is_complete: bool = False
    files: tuple[DayFile, ...] = ()

    def file_of(self, day: date) -> DayFile | None:
        """None where there is none."""
        return next((each for each in self.files if each.day == day), None)

    def with_files(self, files: Iterable[DayFile]) -> "Manifest":
        """The same export with these files."""
        return replace(self, files=tuple(sorted(files, key=lambda each: each.day)))

    def with_day(self, day: date, file: DayFile | None) -> "Manifest":
        """The same export with another file of a day, or none."""
        others = [each for each in self.files if each.day != day]
        return self.with_files(others if file is None else [*others, file])


def secret_fingerprint(secret_key: str) -> str:
    """Tells whether two installations have the same SECRET_KEY, and nothing more of it."""
    return hashlib.blake2b(secret_key.encode(), digest_size=8, person=b"pa-export").hexdigest()


def file_name(day: date, of_format: Format) -> str:
    return f"events-{day}.{of_format}"


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(place: Place, manifest: Manifest) -> None:
    """At once, in the place of an older one. Raises PlaceUnusable."""
    content = {
        "schema_version": SCHEMA_VERSION,
        **{name: value for name, value in asdict(manifest).items() if name != "files"},
        "events": sum(each.events for each in manifest.files),
        "cost_usd_sum": exact_sum(each.cost_usd_sum for each in manifest.files),
        "files": [asdict(each) for each in manifest.files],
    }
    with place.writing(NAME) as path:
        path.write_bytes(orjson.dumps(content, default=_text, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _text(value: Any) -> str:
    """Sums as text: most readers of JSON would round them."""
    assert isinstance(value, Decimal)
    return format(value, "f")


def read_manifest(place: Place) -> Manifest | None:
    """None where there is none. Raises BadExport, PlaceUnusable."""
    if place.size_of(NAME) is None:
        return None
    with place.reading(NAME) as path:
        content = path.read_bytes()
    try:
        read = orjson.loads(content)
        if read["schema_version"] != SCHEMA_VERSION:
            raise BadExport(f"{NAME} is of version {read['schema_version']}, this release reads {SCHEMA_VERSION}")
        return _manifest(read)
    except (ValueError, KeyError, TypeError, ArithmeticError, AttributeError) as error:
        raise BadExport(f"{NAME} is not the manifest of an export: {type(error).__name__}") from error


def _manifest(read: dict[str, Any]) -> Manifest:
    if read["format"] not in FORMATS:
        raise BadExport(f"{NAME} names a format that this release does not know")
    manifest = Manifest(
        format=read["format"],
        project=_checked(read["project"], str),
        project_number=_checked(read["project_number"], int),
        secret_key_fingerprint=_checked(read["secret_key_fingerprint"], str),
        is_complete=_checked(read["is_complete"], bool),
    ).with_files(_day_file(each) for each in read["files"])
    if len({each.day for each in manifest.files}) != len(manifest.files):
        raise BadExport(f"{NAME} names a day twice")
    if any(each.name != file_name(each.day, manifest.format) for each in manifest.files):
        raise BadExport(f"{NAME} names a file that is not called as those of an export are")
    return manifest


def _day_file(read: dict[str, Any]) -> DayFile:
    return DayFile(
        day=date.fromisoformat(read["day"]),
        name=_checked(read["name"], str),
        bytes=_checked(read["bytes"], int),
        sha256=_checked(read["sha256"], str),
        events=_checked(read["events"], int),
        latency_ms_sum=Decimal(read["latency_ms_sum"]),
        cost_usd_sum=Decimal(read["cost_usd_sum"]),
        score_sum=Decimal(read["score_sum"]),
        ledger_events=_checked(read["ledger_events"], int),
        as_of=datetime.fromisoformat(read["as_of"]),
    )


def _checked(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value
