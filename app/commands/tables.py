"""Rows as aligned text."""

from collections.abc import Sequence
from datetime import datetime

import click


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print the rows under their headings, columns aligned."""
    widths = [max(len(cell) for cell in column) for column in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def time_text(moment: datetime | None) -> str:
    """A time in UTC to the second, or a dash."""
    return "-" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
