"""How queries read rows: by the names of their columns, never by position.

Row classes are frozen dataclasses; the few that are tuples say why.
"""

from collections.abc import Mapping
from typing import Any, LiteralString, TypeVar

from psycopg.rows import class_row, scalar_row

from app.core.database import Connection

T = TypeVar("T")


def all_rows(
    connection: Connection,
    row_class: type[T],
    sql: LiteralString,
    parameters: Mapping[str, Any] | None = None,
    *,
    binary: bool = False,
) -> list[T]:
    """Each row as one `row_class`, whose fields are named as the columns are."""
    with connection.cursor(row_factory=class_row(row_class)) as cursor:
        return cursor.execute(sql, parameters, binary=binary).fetchall()


def one_row(
    connection: Connection,
    row_class: type[T],
    sql: LiteralString,
    parameters: Mapping[str, Any] | None = None,
    *,
    binary: bool = False,
) -> T | None:
    """The first row; None where there is none."""
    with connection.cursor(row_factory=class_row(row_class)) as cursor:
        return cursor.execute(sql, parameters, binary=binary).fetchone()


def all_values(connection: Connection, sql: LiteralString, parameters: Mapping[str, Any] | None = None) -> list[Any]:
    """The only column."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(sql, parameters).fetchall()


def one_value(connection: Connection, sql: LiteralString, parameters: Mapping[str, Any] | None = None) -> Any:
    """The only column of the first row; None where there is no row."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(sql, parameters).fetchone()
