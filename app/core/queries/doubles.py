"""Numeric values of PostgreSQL as doubles."""

from typing import LiteralString


def as_double(expression: LiteralString) -> LiteralString:
    """Of a numeric expression, 0 for null. Of less than 1e-307, as events may have it, PostgreSQL makes no double."""
    value: LiteralString = f"coalesce({expression}, 0)"
    return f"(CASE WHEN scale({value}) > 300 THEN round({value}, 300) ELSE {value} END)::float8"
