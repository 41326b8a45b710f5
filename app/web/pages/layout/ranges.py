"""The range of time that a page shows, as its URL names it: `?range=7d`, or `?from=…&to=…` in UTC.

The latter may say with `back` which range somebody came from: a key, or two times as ISO 8601 writes an interval.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from werkzeug.datastructures import MultiDict

from app.core.rollups.grains import Grain, floor_to
from app.core.rollups.time_range import LONGEST_RANGE, TimeRange, answerable_range, has_points_for
from app.web.api.times import EARLIEST, LATEST, parse_time


class Recent(NamedTuple):
    """A range that moves with the time: `label` on its link, `words` and `during` in a sentence."""

    label: str
    words: str
    during: str
    bounds: Callable[[datetime], tuple[datetime, datetime]]
    is_calendar: bool = False


def _last(label: str, words: str, length: timedelta) -> Recent:
    return Recent(label, f"the last {words}", f"in the last {label}", lambda now: (now - length, now))


def _today(now: datetime) -> datetime:
    return floor_to("day", now)


def _yesterday(now: datetime) -> tuple[datetime, datetime]:
    return _today(now) - timedelta(days=1), _today(now)


def _this_week(now: datetime) -> tuple[datetime, datetime]:
    return _today(now) - timedelta(days=now.weekday()), now


RANGES = {
    "1h": _last("1 h", "hour", timedelta(hours=1)),
    "24h": _last("24 h", "24 hours", timedelta(hours=24)),
    "7d": _last("7 d", "7 days", timedelta(days=7)),
    "30d": _last("30 d", "30 days", timedelta(days=30)),
    "90d": _last("90 d", "90 days", timedelta(days=90)),
    "today": Recent("Today", "today", "today", lambda now: (_today(now), now), is_calendar=True),
    "yesterday": Recent("Yesterday", "yesterday", "yesterday", _yesterday, is_calendar=True),
    "week": Recent("This week", "this week", "this week", _this_week, is_calendar=True),
    "month": Recent(
        "This month", "this month", "this month", lambda now: (_today(now).replace(day=1), now), is_calendar=True
    ),
}
"""Days begin at midnight in UTC, weeks on Monday."""
DEFAULT_RANGE = "24h"
CUSTOM = "custom"
_LIVE_SECONDS, _CALM_SECONDS = 5, 30
_LIVE = ("1h", "24h", "today")
_LONGEST_BY_HOUR = timedelta(days=8)
_LONGEST_BY_MINUTE = timedelta(hours=3)
_WRITTEN = "%Y-%m-%d %H:%M"


class WayBack(NamedTuple):
    """The range that somebody came from, in words and as a query string."""

    words: str
    arguments: dict[str, str]


@dataclass(frozen=True, slots=True)
class PageRange:
    """A range. `arguments` name it in URLs; `problem` says what was wrong with the one that was asked for.

    `grown_from`: the times of a URL, where the full hours around them are shown, because that is how fine rollups are.
    `back` is None for a range that is there whenever somebody asks for it.
    """

    key: str
    time_range: TimeRange
    interval: Grain
    arguments: dict[str, str]
    problem: str | None = None
    back: WayBack | None = None
    grown_from: str | None = None

    @property
    def refresh_seconds(self) -> int:
        """How often a page that is looked at asks for news."""
        return _LIVE_SECONDS if self.key in _LIVE else _CALM_SECONDS

    @property
    def words(self) -> str:
        """The range in a sentence: "in the last 24 h"."""
        return RANGES[self.key].during if self.key != CUSTOM else f"from {self.times}"

    @property
    def moving(self) -> str | None:
        """What is moving, "the last 24 hours"; None for a range that stays where it is."""
        if self.key != CUSTOM:
            return RANGES[self.key].words
        return None if "to" in self.arguments else f"from {self.time_range.start:{_WRITTEN}} UTC until now"

    @property
    def times(self) -> str:
        return _times(self.time_range.start, self.time_range.end)

    @property
    def fixed(self) -> dict[str, str]:
        """The query string of the same times, which then stay."""
        start, end = (f"{time:%Y-%m-%dT%H:%M}" for time in (self.time_range.start, self.time_range.end))
        return {"from": start, "to": end, "back": self.as_way_back}

    @property
    def as_way_back(self) -> str:
        """What a part of this range says to have come from: the first one, however often somebody went further in."""
        if self.key != CUSTOM:
            return self.key
        return self.arguments.get("back") or f"{self.arguments['from']}/{self.arguments.get('to', '')}"


def read_range(arguments: "MultiDict[str, str]", now: datetime) -> PageRange:
    """The range that a query string asks for; where that makes no sense, the default one with a problem."""
    if "from" in arguments or "to" in arguments:
        try:
            return _custom(arguments.get("from", ""), arguments.get("to", ""), arguments.get("back", ""), now)
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
    start, end = RANGES[key].bounds(now)
    # at midnight sharp a day has no length yet
    time_range = answerable_range(start, max(end, start + timedelta(minutes=1)), now)
    return PageRange(key, time_range, interval_of(time_range), {"range": key}, problem)


def _custom(start_text: str, end_text: str, back: str, now: datetime) -> PageRange:
    bounds = _bounds(start_text, end_text, now)
    time_range = answerable_range(*bounds, now)
    is_grown = bool(end_text) and time_range.resolution == "hour" and bounds != (time_range.start, time_range.end)
    arguments = {"from": start_text, "to": end_text} if end_text else {"from": start_text}
    way_back = _way_back(back, now)
    if way_back is None:
        way_back = WayBack(RANGES[DEFAULT_RANGE].words, {"range": DEFAULT_RANGE})
    else:
        arguments["back"] = back
    grown_from = _times(*bounds) if is_grown else None
    return PageRange(CUSTOM, time_range, interval_of(time_range), arguments, back=way_back, grown_from=grown_from)


def _times(start: datetime, end: datetime) -> str:
    return f"{start:{_WRITTEN}} to {end:{_WRITTEN}} UTC"


def _bounds(start_text: str, end_text: str, now: datetime) -> tuple[datetime, datetime]:
    start = _parse(start_text, "from")
    end = _parse(end_text, "to") if end_text else now
    if start >= end:
        raise ValueError("The range must begin before it ends.")
    if end - start > LONGEST_RANGE:
        raise ValueError(f"The range must be at most {LONGEST_RANGE.days} days long.")
    return start, end


def _way_back(text: str, now: datetime) -> WayBack | None:
    """None for what names no range."""
    if text in RANGES:
        return WayBack(RANGES[text].words, {"range": text})
    start_text, _, end_text = text.partition("/")
    try:
        found = answerable_range(*_bounds(start_text, end_text, now), now)
    except ValueError:
        return None
    return WayBack(
        _times(found.start, found.end), {"from": start_text, "to": end_text} if end_text else {"from": start_text}
    )


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
