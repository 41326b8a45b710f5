"""CSV and NDJSON files of events. Numbers have the digits that are stored; nothing is changed for spreadsheets."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from app.core.errors import BadExport
from app.core.queries.exported_events import ROWS_AT_ONCE, ExportedEvent
from app.core.transfer.rows import COLUMNS, EPOCH, ReadRow

WriteRows = Callable[[Sequence[ExportedEvent]], None]


@contextmanager
def csv_writer(path: Path) -> Iterator[WriteRows]:
    """RFC 4180 in UTF-8, with a header. None is an empty field; no text of ours is empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)

        def write(rows: Sequence[ExportedEvent]) -> None:
            writer.writerows((row[0], _time(row.occurred_at), _time(row.received_at), *row[3:]) for row in rows)

        yield write


@contextmanager
def ndjson_writer(path: Path) -> Iterator[WriteRows]:
    """An object on each line, with all keys; numbers are JSON numbers."""
    with path.open("wb") as file:

        def write(rows: Sequence[ExportedEvent]) -> None:
            file.writelines(orjson.dumps(_json(row), option=orjson.OPT_APPEND_NEWLINE) for row in rows)

        yield write


def _json(row: ExportedEvent) -> dict[str, Any]:
    values = row._asdict() | {"occurred_at": _time(row.occurred_at), "received_at": _time(row.received_at)}
    for name in ("latency_ms", "cost_usd", "score"):
        if values[name] is not None:
            values[name] = orjson.Fragment(values[name])
    return values


def _time(time: datetime) -> str:
    return f"{time.isoformat(timespec='microseconds')[:-6]}Z"


def read_csv(path: Path) -> Iterator[list[ReadRow]]:
    """ROWS_AT_ONCE of them at a time. Raises BadExport."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            if next(reader, None) != list(COLUMNS):
                raise BadExport("the header is not that of an export")
            yield from _batches(_row([value or None for value in fields]) for fields in reader)
        except (csv.Error, ValueError) as error:
            raise BadExport(f"line {reader.line_num} is no CSV: {type(error).__name__}") from error


def read_ndjson(path: Path) -> Iterator[list[ReadRow]]:
    """As `read_csv`."""
    with path.open(encoding="utf-8", newline="\n") as file:
        number = 0
        try:
            yield from _batches(_row([*_object(line).values()]) for number, line in enumerate(file, 1))
        except (ValueError, RecursionError) as error:
            raise BadExport(f"a line after line {number} is no event in JSON: {type(error).__name__}") from error


# Numbers stay text: a float would lose digits.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str)


def _object(line: str) -> dict[str, Any]:
    read = _DECODER.decode(line)
    if not isinstance(read, dict) or tuple(read) != COLUMNS:
        raise BadExport("a line is not an object with the columns of an export in their order")
    return read


def _row(values: Sequence[Any]) -> ReadRow:
    if len(values) != len(COLUMNS):
        raise BadExport("a row has more or fewer columns than an export")
    event_id, occurred_at, received_at, *others = values
    return ReadRow(event_id, _microseconds(occurred_at), _microseconds(received_at), *others)


def _microseconds(text: str) -> int:
    if not text or not text.endswith("Z"):
        raise BadExport("a time is not one in UTC")
    since = datetime.fromisoformat(text) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _batches(rows: Iterable[ReadRow]) -> Iterator[list[ReadRow]]:
    rows = iter(rows)
    while batch := list(islice(rows, ROWS_AT_ONCE)):
        yield batch
