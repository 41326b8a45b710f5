"""How pages write numbers and times. None, which stands for no data, is an en dash."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flask import Flask

from app.core.visible_text import visible_text

NO_DATA = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
_SPACE = "\N{NO-BREAK SPACE}"

_LARGE = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_SMALLEST_DOLLARS = 1e-9
_LARGEST_LOGARITHM = 700.0
_AS_DATE_AFTER = timedelta(days=60)

Number = float | int | Decimal


@dataclass(frozen=True, slots=True)
class Change:
    """How a number has changed: `+12 %`; the same in words; and whether that is "good", "bad" or "" (neither)."""

    text: str
    words: str
    judgement: str


def register_filters(app: Flask) -> None:
    for function in (money, duration, count, score, share, ago, utc, visible_text):
        app.jinja_env.filters[function.__name__] = function


def money(dollars: Number | None) -> str:
    """US dollars: $0.00042, $0.12, $12.30, $1,234, $3.4 M."""
    if dollars is None:
        return NO_DATA
    value = float(dollars)
    size = abs(value)
    if size == 0:
        text = "0"
    elif size < _SMALLEST_DOLLARS:
        return f"<{_SPACE}$0.000000001"
    elif size < 0.9995:
        text = _significant(size, 3)
        text = text if len(text) >= 4 else text.ljust(4, "0")
    elif size < 999.995:
        text = f"{size:,.2f}"
    elif size < 999_999.5:
        text = f"{size:,.0f}"
    else:
        text = _large(size)
    return f"{MINUS if value < 0 else ''}${text}"


def duration(milliseconds: Number | None) -> str:
    """0.42 ms, 850 ms, 1.2 s, 2 m 5 s, 3 h 20 m, 4 d 2 h."""
    if milliseconds is None:
        return NO_DATA
    size = float(milliseconds)
    if size < 0.001:
        text = "0" if size == 0 else f"<{_SPACE}0.001"
        return f"{text}{_SPACE}ms"
    if size < 999.5:
        return f"{_significant(size, 2 if size < 99.5 else 3)}{_SPACE}ms"
    if size < 59_950:
        return f"{_significant(size / 1_000, 3)}{_SPACE}s"
    return _long_duration(round(size / 1_000))


def count(number: Number | None) -> str:
    """12,345 and, from 100,000 on, 123 k, 3.4 M."""
    if number is None:
        return NO_DATA
    value = float(number)
    return f"{value:,.0f}" if abs(value) < 100_000 else _large(value)


def score(number: Number | None) -> str:
    """0.873; of large numbers, which hardly are scores, fewer digits."""
    if number is None:
        return NO_DATA
    value = float(number)
    size = abs(value)
    if size < 0.0005:
        text = "0" if size == 0 else "0.000"
    elif size < 100:
        text = f"{size:.3f}"
    else:
        text = count(size) if size < 1e15 else f"{size:.2e}"
    return f"{MINUS if value < 0 else ''}{text}"


def share(part: float | None) -> str:
    if part is None:
        return NO_DATA
    percent = 100 * part
    if 0 < percent < 0.1:
        return f"<{_SPACE}0.1{_SPACE}%"
    exact = 0 < percent < 10 or 90 < percent < 100
    return f"{percent:.{1 if exact else 0}f}{_SPACE}%"


def percent_change(now: Number | None, before: Number | None) -> Change | None:
    """How much more or less it is than before, neither good nor bad; None where there is nothing to compare."""
    # asked of the float: a cost may be smaller than any
    if now is None or before is None or not float(before):
        return None
    text = _signed(100 * (float(now) / float(before) - 1), "%")
    if text[0] not in (MINUS, "+"):
        return Change(text, "no change", "")
    return Change(text, f"{text[1:]} {'lower' if text[0] == MINUS else 'higher'}", "")


def signed_percent(part: float) -> str:
    """A part of 1 as per cent, with its sign: +12 %."""
    return _signed(100 * part, "%")


def signed_ratio(logarithm: float) -> str:
    """A ratio, by its natural logarithm, as per cent more or less: +12 %."""
    return signed_percent(math.expm1(min(logarithm, _LARGEST_LOGARITHM)))


def signed_score(difference: float) -> str:
    return _signed(difference, "")


def ago(time: datetime | None, now: datetime | None = None) -> str:
    """How long ago, and the day where that is long ago; "now" within a minute."""
    if time is None:
        return NO_DATA
    age = (now or datetime.now(UTC)) - time
    if age > _AS_DATE_AFTER:
        return f"{time.astimezone(UTC):%-d %b %Y}".replace(" ", _SPACE)
    for unit, length in (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1))):
        if age >= length:
            return f"{age // length}{_SPACE}{unit}{_SPACE}ago"
    return "just now" if age > timedelta(minutes=-2) else utc(time)


def utc(time: datetime | None) -> str:
    return NO_DATA if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def as_of(now: datetime) -> str:
    """When a page was made, for who has no JavaScript."""
    return f"As of {now:%H:%M:%S} UTC"


def listed(parts: Sequence[str], last: str = "and") -> str:
    """a, b and c."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def _large(size: float) -> str:
    sign = MINUS if size < 0 else ""
    size = abs(size)
    for unit, letter in _LARGE:
        # what rounds to a thousand of a unit is one of the next
        if size >= unit * 0.9995:
            return f"{sign}{_significant(max(1.0, size / unit), 3)}{_SPACE}{letter}"
    return f"{sign}{size:,.0f}"


def _significant(size: float, digits: int) -> str:
    """So many digits, without exponent and without zeros behind the point; of whole numbers all digits."""
    places = max(0, digits - 1 - math.floor(math.log10(size)))
    text = f"{size:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _long_duration(seconds: int) -> str:
    if seconds >= 86_400:
        whole, rest, units = seconds // 86_400, seconds % 86_400 // 3_600, "dh"
    elif seconds >= 3_600:
        whole, rest, units = seconds // 3_600, seconds % 3_600 // 60, "hm"
    else:
        whole, rest, units = seconds // 60, seconds % 60, "ms"
    return f"{whole:,}{_SPACE}{units[0]}" + (f" {rest}{_SPACE}{units[1]}" if rest else "")


def _signed(difference: float, unit: str) -> str:
    size = abs(difference)
    if unit == "%":
        digits = f"{size:,.{1 if size < 9.95 else 0}f}".removesuffix(".0")
    else:
        digits = score(size) if size >= 0.0005 else "0"
    suffix = f"{_SPACE}{unit}" if unit else ""
    sign = "" if digits == "0" else MINUS if difference < 0 else "+"
    return f"{sign}{digits}{suffix}"
