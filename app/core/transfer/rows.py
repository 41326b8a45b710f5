"""Rows of an export as they are read back, and what they must be to be stored."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, DecimalException, Inexact, localcontext
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from app.core.contract import LONGEST_VERSION_HASH
from app.core.errors import BadExport, UndecodableEntry
from app.core.queries.day_totals import DayTotals
from app.core.queries.exported_events import ExportedEvent
from app.core.stream.events import LAST_STORABLE_MS, storable_number

COLUMNS = ExportedEvent._fields
LARGEST_NUMBER = 10**12
"""As the API takes them."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 86_400_000
_ZERO = Decimal(0)
# Wider than every sum; Inexact would raise rather than round.
_EXACT = Context(prec=2_000, traps=[Inexact])


class ReadRow(NamedTuple):
    """What a file says, unchecked. Times are microseconds since the epoch, numbers text."""

    event_id: str
    occurred_at_us: int
    received_at_us: int
    prompt_id: str
    prompt_name: str | None
    version_hash: str
    version_name: str | None
    latency_ms: str | None
    cost_usd: str | None
    score: str | None


class ImportedEvent(NamedTuple):
    """An event that can be stored. Times are milliseconds since the epoch; `event_id` is 16 bytes."""

    event_id: bytes
    occurred_at_ms: int
    received_at_ms: int
    prompt_id: UUID
    prompt_name: str | None
    version_hash: str
    version_name: str | None
    latency_ms: Decimal | None
    cost_usd: Decimal | None
    score: Decimal | None


def checked_event(row: ReadRow, day: date) -> ImportedEvent:
    """Raises BadExport, which says what is wrong and never a value."""
    try:
        occurred_at_ms = _milliseconds(row.occurred_at_us)
        if EPOCH + timedelta(milliseconds=occurred_at_ms - occurred_at_ms % _DAY_MS) != _beginning(day):
            raise BadExport("an event occurred on another day than that of its file")
        return ImportedEvent(
            _event_id(row.event_id),
            occurred_at_ms,
            _milliseconds(row.received_at_us),
            _prompt_id(row.prompt_id),
            _text(row.prompt_name) if row.prompt_name is not None else None,
            _text(row.version_hash),
            _text(row.version_name) if row.version_name is not None else None,
            None if row.latency_ms is None else _number(row.latency_ms),
            None if row.cost_usd is None else _number(row.cost_usd),
            None if row.score is None else _number(row.score),
        )
    except (UndecodableEntry, DecimalException, ValueError, TypeError, AttributeError) as error:
        raise BadExport(f"an event cannot be read: {type(error).__name__}") from error


@lru_cache(maxsize=4)
def _beginning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _milliseconds(microseconds: int) -> int:
    milliseconds, rest = divmod(microseconds, 1_000)
    if rest or not 0 <= milliseconds <= LAST_STORABLE_MS:
        raise BadExport("a time is out of range, or not a whole millisecond")
    return milliseconds


def _event_id(text: str) -> bytes:
    event_id = bytes.fromhex(text.replace("-", ""))
    if (len(text), len(event_id)) != (36, 16):
        raise BadExport("an event has no id")
    return event_id


@lru_cache(maxsize=10_000)
def _prompt_id(text: str) -> UUID:
    return UUID(text)


@lru_cache(maxsize=10_000)
def _text(text: str) -> str:
    if not 0 < len(text) <= LONGEST_VERSION_HASH or "\0" in text:
        raise BadExport("a version or a name is empty, too long, or no text that can be stored")
    text.encode()  # a lone surrogate is a ValueError
    return text


def _number(text: str) -> Decimal:
    number = storable_number(text)
    if abs(number) > LARGEST_NUMBER:
        raise BadExport("a number is larger than any that an event may have")
    return number


class RunningTotals:
    """Adds up rows batch by batch, exactly."""

    def __init__(self) -> None:
        self.events = 0
        self._sums = [_ZERO, _ZERO, _ZERO]

    def add(self, rows: Iterable[ExportedEvent] | Iterable[ReadRow]) -> None:
        """Raises decimal's InvalidOperation for text that is no number."""
        with localcontext(_EXACT):
            for row in rows:
                self.events += 1
                for place, text in enumerate(row[-3:]):
                    if text is not None:
                        self._sums[place] += Decimal(text)

    @property
    def totals(self) -> DayTotals:
        """Of all rows so far."""
        latency, cost, score = self._sums
        return DayTotals(events=self.events, latency_sum=latency, cost_sum=cost, score_sum=score)


def exact_sum(numbers: Iterable[Decimal]) -> Decimal:
    with localcontext(_EXACT):
        return sum(numbers, _ZERO)
