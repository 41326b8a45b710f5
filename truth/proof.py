"""docs/statistics.md: between the marks of each part stands the table of its last long run."""

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from app.local.children import REPOSITORY
from truth.shares import Row, table

PAGE = REPOSITORY / "docs" / "statistics.md"


def run_line(arguments: Sequence[str], sizes: str, seed: int, minutes: float) -> str:
    """How and when the figures came about."""
    command = f'`make truth ARGS="{" ".join(arguments)}"`'
    packages = f"Python {platform.python_version()}, numpy {version('numpy')}, scipy {version('scipy')}"
    machine = f"{minutes:.0f} minutes on {os.cpu_count()} cores, {packages}"
    return f"{command}, {datetime.now(UTC):%Y-%m-%d}: {sizes}, seed {seed}, {machine}."


def write_page(part: str, rows: Sequence[Row], run: str, path: Path = PAGE) -> None:
    """Put the table between the marks of its part. Raises ValueError where they are missing."""
    begin, end = f"<!-- results of {part} -->", f"<!-- end of results of {part} -->"
    page = path.read_text()
    if not (begin in page and end in page):
        raise ValueError(f"{path} lacks its marks")
    results = f"{begin}\n\n{run}\n\n{table(rows)}\n\n{end}"
    path.write_text(re.sub(f"{begin}.*{end}", lambda _: results, page, flags=re.DOTALL))
