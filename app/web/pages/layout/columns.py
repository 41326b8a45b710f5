"""Numbers of one column: in one unit and with the same decimals, so that they align; all digits are at hand."""

import math
from collections.abc import Callable, Iterable, Sequence

from flask import Flask
from jinja2.filters import do_filesizeformat
from markupsafe import Markup, escape

from app.web.pages.layout.exact import exact_count, exact_duration, exact_money, exact_score
from app.web.pages.layout.formatting import MINUS, NO_DATA, Number, count, duration, money, score, share

Write = Callable[[Number | None], str]
_MOST_DIGITS = 6
"""Of the largest value of a column, before and behind the point; what is less than its last digit is told as that."""
_MOST_ZEROS = 12
_LARGEST_BEFORE_UNITS = 10_000_000
_SPACE = "\N{NO-BREAK SPACE}"


def register_column_filters(app: Flask) -> None:
    for function in (
        *(counted, priced, sized, count_column, money_column, duration_column, score_column, share_column),
        *(exact_money_column, exact_duration_column, exact_score_column),
    ):
        app.jinja_env.filters[function.__name__] = function


def exactly(text: str, exact: str) -> Markup:
    """A shortened number, with the exact one for who points at it and, where that is far off, who listens."""
    if text in (exact, NO_DATA):
        return escape(text)
    heard = Markup('<span class="visually-hidden"> exactly {}</span>').format(exact) if text[-1] in "kMBT" else ""
    return Markup('<span title="{}">{}{}</span>').format(exact, text, heard)


def aligned(values: Iterable[Number | None], write: Callable[[Number | None], str]) -> Write:
    """As `write` writes them, with all digits: zeros behind the point fill up to the longest, unless that is long."""
    decimals = max((len(_behind_point(write(value))) for value in values), default=0)

    def write_aligned(value: Number | None) -> str:
        text = write(value)
        missing = decimals - len(_behind_point(text))
        if value is None or not missing or decimals > _MOST_ZEROS:
            return text
        number, space, unit = text.partition(_SPACE)
        return f"{number}{'' if '.' in number else '.'}{'0' * missing}{space}{unit}"

    return write_aligned


def exact_money_column(values: Iterable[Number | None]) -> Write:
    return aligned(values, exact_money)


def exact_duration_column(values: Iterable[Number | None]) -> Write:
    return aligned(values, exact_duration)


def exact_score_column(values: Iterable[Number | None]) -> Write:
    return aligned(values, exact_score)


def counted(number: Number | None) -> Markup:
    return exactly(count(number), exact_count(number))


def priced(dollars: Number | None) -> Markup:
    return exactly(money(dollars), exact_money(dollars))


def sized(bytes_: int) -> Markup:
    """12.3 MiB."""
    return exactly(do_filesizeformat(bytes_, binary=True), f"{exact_count(bytes_)} bytes")


def count_column(values: Iterable[Number | None]) -> Write:
    """In full, unless one is so large that nobody reads it."""
    if max(_sizes(values), default=0) < _LARGEST_BEFORE_UNITS:
        return exact_count
    return counted


def money_column(values: Iterable[Number | None]) -> Write:
    """$0.0042 beside $0.1200; three digits of the smallest, where the largest leaves room for them."""
    sizes = _sizes(values)
    if max(sizes, default=0) >= _LARGEST_BEFORE_UNITS:
        return priced
    decimals = _decimals(sizes, digits=3, fewest=2)
    return lambda dollars: exactly(_fixed(dollars, decimals, before="$"), exact_money(dollars))


def duration_column(values: Iterable[Number | None]) -> Write:
    """In seconds where all are at least a second, in milliseconds else; whole hours and days as ever."""
    sizes = _sizes(values)
    largest, smallest = max(sizes, default=0.0), min(filter(None, sizes), default=0.0)
    if largest >= 3_600_000:
        return lambda milliseconds: exactly(duration(milliseconds), exact_duration(milliseconds))
    per_unit, unit = (1_000, "s") if smallest >= 1_000 else (1, "ms")
    decimals = _decimals([size / per_unit for size in sizes], digits=3 if unit == "s" else 2, fewest=0)

    def write(milliseconds: Number | None) -> str:
        number = None if milliseconds is None else float(milliseconds) / per_unit
        return exactly(_fixed(number, decimals, after=f"{_SPACE}{unit}"), exact_duration(milliseconds))

    return write


def score_column(values: Iterable[Number | None]) -> Write:
    if max(_sizes(values), default=0) >= 100:
        return lambda number: exactly(score(number), exact_score(number))
    return lambda number: exactly(_fixed(number, 3), exact_score(number))


def share_column(parts: Iterable[float | None]) -> Callable[[float | None], str]:
    """Whole per cent, or tenths where one of them needs tenths."""
    tenths = any("." in share(part) for part in parts)

    def write(part: float | None) -> str:
        if part is None or not tenths or 0 < part < 0.001:
            return share(part)
        return f"{100 * part:.1f}{_SPACE}%"

    return write


def _behind_point(text: str) -> str:
    return text.partition(_SPACE)[0].partition(".")[2]


def _sizes(values: Iterable[Number | None]) -> list[float]:
    return [abs(float(value)) for value in values if value is not None]


def _decimals(sizes: Sequence[float], *, digits: int, fewest: int) -> int:
    """So many that the smallest shows these `digits`, as far as the largest leaves room."""
    known = [size for size in sizes if size > 0]
    if not known:
        return fewest
    wanted = digits - 1 - math.floor(math.log10(min(known)))
    room = _MOST_DIGITS - 1 - math.floor(math.log10(max(known)))
    return max(fewest, min(wanted, room))


def _fixed(number: Number | None, decimals: int, *, before: str = "", after: str = "") -> str:
    if number is None:
        return NO_DATA
    value = float(number)
    text = f"{abs(value):,.{decimals}f}"
    if value and not float(text.replace(",", "")):
        least = f"{10**-decimals:.{decimals}f}"
        return f"<{_SPACE}{before}{least}{after}"
    return f"{MINUS if value < 0 else ''}{before}{text}{after}"
