"""Values with all their digits, for who reads one off a chart or wants what stands behind a round one."""

from datetime import UTC, datetime
from decimal import Decimal

from flask import Flask

from app.web.pages.layout.formatting import MINUS, NO_DATA, Number

_DIGITS = 6
"""Of means, which have no end."""
_DIGITS_OF_ESTIMATES = 4
"""Percentiles are known to within 1 %."""


def register_exact_filters(app: Flask) -> None:
    for function in (exact_count, exact_money, exact_duration, exact_score, exact_time):
        app.jinja_env.filters[function.__name__] = function


def exact_count(number: Number | None) -> str:
    """12,345,678."""
    return NO_DATA if number is None else f"{number:,.0f}"


def exact_money(dollars: Number | None) -> str:
    """US dollars: $0.000421538; sums have every digit that was sent."""
    if dollars is None:
        return NO_DATA
    text = _plain(dollars, _DIGITS)
    return f"{MINUS}${text[1:]}" if text.startswith(MINUS) else f"${text}"


def exact_duration(milliseconds: Number | None) -> str:
    """12,345 ms, 0.4213 ms."""
    return NO_DATA if milliseconds is None else f"{_plain(milliseconds, _DIGITS_OF_ESTIMATES)}\N{NO-BREAK SPACE}ms"


def exact_score(number: Number | None) -> str:
    return NO_DATA if number is None else _plain(number, _DIGITS)


def exact_time(time: datetime) -> str:
    """To the millisecond, in UTC."""
    return time.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def _plain(number: Number, digits: int) -> str:
    """Without an exponent. A float has so many digits, whatever else is exact."""
    value = Decimal(f"{number:.{digits}g}") if isinstance(number, float) else Decimal(number)
    text = f"{value:,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", MINUS)
