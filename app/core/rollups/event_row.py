"""One event as the table of events has it, and as the rollups count it."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple


class EventKey(NamedTuple):
    """What makes an event one and the same.

    `day` is the UTC day on which it occurred; `event_id` the 16 bytes of its id, which are in the same order as UUIDs
    and quicker to compare.
    """

    project_id: int
    day: date
    event_id: bytes


PlainKey = tuple[int, date, bytes]
"""The same without names, which takes a fifth of the time to make."""

Content = tuple[int, Decimal | None, Decimal | None, Decimal | None]
"""What two events with the same key must share to be the same event: version key, latency, cost and score."""


class EventRow(NamedTuple):
    """Times are milliseconds since the epoch."""

    project_id: int
    prompt_key: int
    version_key: int
    day: date
    event_id: bytes
    occurred_at_ms: int
    received_at_ms: int
    latency_ms: Decimal | None
    cost_usd: Decimal | None
    score: Decimal | None

    @property
    def key(self) -> PlainKey:
        return self.project_id, self.day, self.event_id

    @property
    def content(self) -> Content:
        return self.version_key, self.latency_ms, self.cost_usd, self.score
