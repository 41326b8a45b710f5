"""Files of an export, whatever is in them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import BadExport
from app.core.queries.exported_events import ExportedEvent
from app.core.transfer.files import READERS, WRITERS
from app.core.transfer.manifest import FORMATS, Format
from app.core.transfer.rows import EPOCH, ReadRow, RunningTotals, checked_event

DAY = date(2026, 11, 1)
BEGINNING = datetime(2026, 11, 1, tzinfo=UTC)
# All that PostgreSQL stores as text: no NUL, no lone surrogates.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=256)
# As PostgreSQL writes numbers: no exponent, and with the zeros at the end that it was given.
PLACES = st.sampled_from([0, 1, 2, 6, 17, 18, 19, 30, 400])
NUMBERS = st.builds(
    lambda digits, places: format(Decimal(digits).scaleb(-places, Context(prec=500)), "f"),
    st.integers(-(10**12), 10**12),
    PLACES,
)
TIMES = st.integers(0, 86_400_000 - 1).map(lambda milliseconds: BEGINNING + timedelta(milliseconds=milliseconds))
EVENTS = st.builds(
    ExportedEvent,
    st.uuids().map(str),
    TIMES,
    TIMES,
    st.uuids().map(str),
    TEXTS | st.none(),
    TEXTS,
    TEXTS | st.none(),
    *(NUMBERS | st.none() for _ in range(3)),
)


def microseconds(time: datetime) -> int:
    since = time - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def written_and_read(of_format: Format, events: list[ExportedEvent]) -> list[ReadRow]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        with WRITERS[of_format](path) as write:
            for start in range(0, len(events), 2):
                write(events[start : start + 2])
        return [row for rows in READERS[of_format](path) for row in rows]


@pytest.mark.parametrize("of_format", FORMATS)
@given(events=st.lists(EVENTS, min_size=1, max_size=5))
def test_what_is_written_is_read_back_to_the_last_digit(of_format: Format, events: list[ExportedEvent]):
    read = written_and_read(of_format, events)
    assert read == [
        ReadRow(event[0], microseconds(event.occurred_at), microseconds(event.received_at), *event[3:])
        for event in events
    ]
    for row, event in zip(read, events, strict=True):
        checked = checked_event(row, DAY)
        texts = [None if number is None else format(number, "f") for number in checked[-3:]]
        assert texts == list(event[-3:])


@given(events=st.lists(EVENTS, max_size=5))
def test_totals_are_exact(events: list[ExportedEvent]):
    running = RunningTotals()
    running.add(events)
    assert running.events == len(events)
    assert Fraction(running.totals.cost_sum) == sum(Fraction(event.cost_usd) for event in events if event.cost_usd)


@pytest.mark.parametrize(
    "changed",
    [
        {"event_id": "no-uuid"},
        {"event_id": "00000000000000000000000000000000"},
        {"prompt_id": ""},
        {"occurred_at_us": microseconds(BEGINNING) - 1_000},
        {"occurred_at_us": microseconds(BEGINNING) + 86_400_000_000},
        {"occurred_at_us": microseconds(BEGINNING) + 1},
        {"received_at_us": -1_000},
        {"version_hash": ""},
        {"version_hash": "x" * 257},
        {"version_hash": "\0"},
        {"version_hash": "\ud800"},
        {"version_hash": 1},
        {"prompt_name": ""},
        {"cost_usd": "NaN"},
        {"cost_usd": "1e900"},
        {"latency_ms": "1000000000000.1"},
        {"latency_ms": "12,5"},
        {"score": ""},
    ],
)
def test_a_row_that_no_service_can_have_stored_is_refused(changed: dict[str, Any]):
    good = ReadRow(
        "00000000-0000-0000-0000-000000000001",
        microseconds(BEGINNING),
        microseconds(BEGINNING),
        "00000000-0000-0000-0000-000000000001",
        None,
        "v1",
        None,
        "1",
        "0.10",
        None,
    )
    assert checked_event(good, DAY).cost_usd == Decimal("0.10")
    with pytest.raises(BadExport):
        checked_event(good._replace(**changed), DAY)


@pytest.mark.parametrize(
    ("of_format", "content"),
    [
        ("csv", b""),
        ("csv", b"event_id,cost_usd\r\n"),
        ("csv", b"\xff\xfe"),
        ("ndjson", b"{}\n"),
        ("ndjson", b"[1]\n"),
        ("ndjson", b"{"),
        ("ndjson", b"\xff\n"),
        ("parquet", b""),
        ("parquet", b"PAR1 and so on PAR1"),
    ],
)
def test_a_file_of_another_kind_is_refused(of_format: Format, content: bytes, tmp_path: Path):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(BadExport):
        list(READERS[of_format](tmp_path / "file"))
