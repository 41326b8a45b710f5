"""Answers of statements as plain values that can be compared: in a certain order, and histograms by their counts."""

import dataclasses
import math
import struct
from collections import Counter
from collections.abc import Iterable
from typing import Any

from app.core.queries.prompt_days import PackedDays
from app.core.queries.usage import PromptUsageRow
from app.core.queries.version_cells import CELL_NUMBERS, VersionCells
from app.core.rollups.latency_histogram import decode_histogram


def plain(answer: Any) -> Any:
    """Lists stay in their order; those whose order means nothing go through `in_order` first."""
    found = answer
    match answer:
        case PackedDays():
            found = _rows_of_days(answer)
        case VersionCells():
            found = [answer.version_key, _cells(answer)]
        case PromptUsageRow():
            found = [_by_day(answer), *_fields(answer, without=("bucket_starts", "bucket_events"))]
        case bytes():
            found = decode_histogram(answer)
        case list() | tuple():
            found = [plain(each) for each in answer]
        case dict():
            found = {key: plain(each) for key, each in answer.items()}
        case _ if dataclasses.is_dataclass(answer):
            found = _fields(answer)
    return found


def in_order(rows: Iterable[Any]) -> list[Any]:
    """Rows that come in any order; sorted by whole numbers and texts in them, which floats stand behind."""
    return sorted(map(plain, rows), key=repr)


def _by_day(prompt: PromptUsageRow) -> list[tuple[int, int]]:
    """The activity of a prompt: events by day."""
    events_by_day: Counter[int] = Counter()
    for start, events in zip(prompt.bucket_starts or (), prompt.bucket_events or (), strict=True):
        events_by_day[start // 86_400] += events
    return sorted(events_by_day.items())


def _fields(answer: Any, without: Iterable[str] = ()) -> list[Any]:
    names = [field.name for field in dataclasses.fields(answer) if field.name not in without]
    return [plain(getattr(answer, name)) for name in names]


def _cells(cells: VersionCells) -> list[Any]:
    numbers = list(struct.iter_unpack(f">{len(CELL_NUMBERS)}d", cells.numbers))
    histograms = [decode_histogram(each or b"") for each in cells.histograms or [b""] * len(numbers)]
    return sorted([list(row), histogram] for row, histogram in zip(numbers, histograms, strict=True))


def _rows_of_days(days: PackedDays) -> list[Any]:
    columns = []
    for field in dataclasses.fields(days)[:-1]:
        code = "d" if field.name.endswith(("means", "deviations")) else "q"
        columns.append([number for (number,) in struct.iter_unpack(f">{code}", getattr(days, field.name) or b"")])
    rows, place = [], 0
    for row in zip(*columns, strict=True):
        rows.append([list(row[:-1]), decode_histogram((days.histograms or b"")[place : place + row[-1]])])
        place += row[-1]
    return sorted(rows, key=lambda each: each[0][:2])


def assert_same(answers: Any, others: Any, path: str = "") -> None:
    """Exactly, but for floats, whose last digits depend on the order in which they were added."""
    if isinstance(answers, float):
        assert math.isclose(answers, others, rel_tol=1e-9, abs_tol=1e-9), (path, answers, others)
    elif isinstance(answers, dict):
        assert answers.keys() == others.keys(), (path, answers, others)
        for key, each in answers.items():
            assert_same(each, others[key], f"{path}/{key}")
    elif isinstance(answers, list):
        assert len(answers) == len(others), (path, answers, others)
        for place, (each, other) in enumerate(zip(answers, others, strict=True)):
            assert_same(each, other, f"{path}/{place}")
    else:
        assert answers == others, (path, answers, others)
