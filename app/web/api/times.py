"""Times in requests: with date, time and offset, as RFC 3339 writes them, and in no looser form."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import fields

from app.core.contract import OLDEST_TIMESTAMP

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
LONGEST_AGO_MS = OLDEST_TIMESTAMP // timedelta(milliseconds=1)
FARTHEST_AHEAD_MS = 5 * 60_000
"""For clients whose clock is fast."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# datetime.fromisoformat alone also takes week dates, dates without hyphens, and 99 minutes of an offset.
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:[0-5]\d)",
    re.ASCII,
)


def parse_time(value: Any) -> datetime:
    """A time, with the offset that it was written with. Raises ValueError for all that is not one, leap seconds too."""
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise ValueError("not a time with an offset")
    return datetime.fromisoformat(value.upper())


class Instant(fields.AwareDateTime):
    """A time in this century, as a datetime in UTC."""

    default_error_messages = {
        "invalid": "Must be an ISO 8601 time with an offset, such as 2026-01-31T12:00:00Z (a + is written %2B).",
        "out_of_range": f"Must lie between the years {EARLIEST.year} and {LATEST.year}.",
    }

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        try:
            found = parse_time(value).astimezone(UTC)
        except ValueError:
            raise self.make_error("invalid") from None
        except OverflowError:
            raise self.make_error("out_of_range") from None
        if not EARLIEST <= found <= LATEST:
            raise self.make_error("out_of_range")
        return found


class RecentTime(fields.Field[int]):
    """A time of the last 30 days, as whole milliseconds since the epoch; finer digits are cut off."""

    default_error_messages = {
        "null": "Must be an ISO 8601 time with an offset, such as 2026-01-31T12:00:00Z.",
        "invalid": "Must be an ISO 8601 time with an offset, such as 2026-01-31T12:00:00Z.",
        "out_of_range": "Must be from 30 days ago to 5 minutes ahead.",
    }

    def __init__(self, *, clock: Callable[[], float] = time.time, **options: Any) -> None:
        """`clock` tells the seconds since the epoch."""
        super().__init__(**options)
        self._clock = clock

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        try:
            found_ms = (parse_time(value) - _EPOCH) // _MILLISECOND
        except ValueError:
            raise self.make_error("invalid") from None
        now_ms = int(self._clock() * 1_000)
        if not now_ms - LONGEST_AGO_MS <= found_ms <= now_ms + FARTHEST_AHEAD_MS:
            raise self.make_error("out_of_range")
        return found_ms
