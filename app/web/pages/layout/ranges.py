"""The range of time that a page shows, as its URL names it: `?range=7d`, or `?from=…&to=…` in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from werkzeug.datastructures import MultiDict

from app.core.rollups.grains import Grain
from app.core.rollups.time_range import LONGEST_RANGE, TimeRange, answerable_range, has_points_for
from app.web.api.times import EARLIEST, LATEST, parse_time

RANGES = {
    "1h": ("1 h", timedelta(hours=1)),
    "24h": ("24 h", timedelta(hours=24)),
    "7d": ("7 d", timedelta(days=7)),
    "30d": ("30 d", timedelta(days=30)),
    "90d": ("90 d", timedelta(days=90)),
}
DEFAULT_RANGE = "24h"
CUSTOM = "custom"
_LIVE_SECONDS, _CALM_SECONDS = 5, 30
_LONGEST_BY_HOUR = timedelta(days=8)
_LONGEST_BY_MINUTE = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class PageRange:
    """A range. `arguments` name it in URLs; `problem` says what was wrong with the one that was asked for."""

    key: str
    time_range: TimeRange
    interval: Grain
    arguments: dict[str, str]
    problem: str | None = None

    @property
    def refresh_seconds(self) -> int:
        """How often a page that is looked at asks for news."""
        return _LIVE_SECONDS if self.key in ("1h", "24h") else _CALM_SECONDS

    @property
    def words(self) -> str:
        """The range in a sentence: "in the last 24 h"."""
        if self.key != CUSTOM:
            return f"in the last {RANGES[self.key][0]}"
        return f"from {self.time_range.start:%Y-%m-%d %H:%M} to {self.time_range.end:%Y-%m-%d %H:%M} UTC"


def read_range(arguments: "MultiDict[str, str]", now: datetime) -> PageRange:
    """The range that a query string asks for; where that makes no sense, the default one with a problem."""
    if "from" in arguments or "to" in arguments:
        try:
            return _custom(arguments.get("from", ""), arguments.get("to", ""), now)
        except ValueError as error:
            return _recent(DEFAULT_RANGE, now, problem=str(error))
    key = arguments.get("range", DEFAULT_RANGE)
    if key not in RANGES:
        return _recent(DEFAULT_RANGE, now, problem="There is no such range.")
    return _recent(key, now)


def interval_of(time_range: TimeRange) -> Grain:
    """The length of a bucket that gives a chart enough points to show a rhythm, and not too many."""
    length = time_range.end - time_range.start
    if length <= _LONGEST_BY_MINUTE and has_points_for(time_range, "minute"):
        return "minute"
    return "hour" if length <= _LONGEST_BY_HOUR else "day"


def _recent(key: str, now: datetime, problem: str | None = None) -> PageRange:
    time_range = answerable_range(now - RANGES[key][1], now, now)
    return PageRange(key, time_range, interval_of(time_range), {"range": key}, problem)


def _custom(start_text: str, end_text: str, now: datetime) -> PageRange:
    start = _parse(start_text, "from")
    end = _parse(end_text, "to") if end_text else now
    if start >= end:
        raise ValueError("The range must begin before it ends.")
    if end - start > LONGEST_RANGE:
        raise ValueError(f"The range must be at most {LONGEST_RANGE.days} days long.")
    time_range = answerable_range(start, end, now)
    arguments = {"from": start_text, "to": end_text} if end_text else {"from": start_text}
    return PageRange(CUSTOM, time_range, interval_of(time_range), arguments)


def _parse(text: str, name: str) -> datetime:
    """A time with an offset, or without one, as the fields of forms give it, in UTC."""
    for ending in ("", ":00Z", "Z", "T00:00:00Z"):
        try:
            found = parse_time(text + ending).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
        if EARLIEST <= found <= LATEST:
            return found
    raise ValueError(f"“{name}” must be a date and a time of this century.")
