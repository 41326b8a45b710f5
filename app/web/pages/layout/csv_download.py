"""Tables as CSV downloads that a spreadsheet opens as data, never as formulas."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from flask import Response

from app.core.visible_text import is_unseen

_Item = TypeVar("_Item")

ROWS_PER_CHUNK = 200
BYTE_ORDER_MARK = "\ufeff"
# What makes spreadsheets take text for a formula, full-width forms included, also behind what is not seen.
_FORMULA_SIGN = re.compile("[-=+@\uff1d\uff0b\uff0d\uff20]")
_CONTROL_STARTS = ("\t", "\r", "\n")


def csv_response(file_name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A download with this name (plain ASCII letters, digits, dots and hyphens), sent while `rows` is being read.

    Numbers are written as they are, times as ISO 8601 in UTC, None as an empty cell. UTF-8 with a byte order mark:
    without it Excel takes every ä for two other letters, and what else reads CSV skips it, or can be told to.
    """
    answer = Response(_chunks(header, rows), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def csv_table(file_name: str, columns: Mapping[str, Callable[[_Item], object]], items: Iterable[_Item]) -> Response:
    """The same with a row for each item; `columns` says what stands in each under its name in the header."""
    return csv_response(file_name, list(columns), ([value(item) for value in columns.values()] for item in items))


def _chunks(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    lines = _Lines()
    lines.write(BYTE_ORDER_MARK)
    writer = csv.writer(lines)
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
        if len(lines.waiting) >= ROWS_PER_CHUNK:
            yield lines.take()
    yield lines.take()


class _Lines:
    """What a csv.writer writes to."""

    def __init__(self) -> None:
        self.waiting: list[str] = []

    def write(self, line: str) -> None:
        self.waiting.append(line)

    def take(self) -> str:
        taken, self.waiting = self.waiting, []
        return "".join(taken)


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return format(value, "f")
    return defused(value) if isinstance(value, str) else value


def defused(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet would take for a formula."""
    if _FORMULA_SIGN.search(text):
        # Where a comma is the decimal mark, Excel divides lines at semicolons, in the middle of a cell of ours.
        first, *others = text.split(";")
        cells = [_as_text(first, first), *(_as_text(cell, cell.replace('"', "")) for cell in others)]
        text = ";".join(cells)
    return "'" + text if text.startswith(_CONTROL_STARTS) else text


def _as_text(cell: str, seen_as: str) -> str:
    sign = _FORMULA_SIGN.search(seen_as)
    return "'" + cell if sign and all(map(is_unseen, seen_as[: sign.start()])) else cell
