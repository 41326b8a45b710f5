"""docs/statistics.md: between its marks stands the table of the last long run."""

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from app.local.children import REPOSITORY
from truth.experiments import LIMIT_RUNS, WAIT_RUNS
from truth.shares import Row, table

PAGE = REPOSITORY / "docs" / "statistics.md"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def run_line(arguments: Sequence[str], runs: int, seed: int, minutes: float) -> str:
    """How and when the figures came about."""
    command = f'`make truth ARGS="{" ".join(arguments)}"`'
    packages = f"Python {platform.python_version()}, numpy {version('numpy')}, scipy {version('scipy')}"
    sizes = f"{runs:,} runs of each row ({WAIT_RUNS:.0%} of that of waits, {LIMIT_RUNS:.0%} where nothing is claimed)"
    machine = f"{minutes:.0f} minutes on {os.cpu_count()} cores, {packages}"
    return f"{command}, {datetime.now(UTC):%Y-%m-%d}: {sizes.replace('%', ' %')}, seed {seed}, {machine}."


def write_page(rows: Sequence[Row], run: str, path: Path = PAGE) -> None:
    """Put the table between the marks. Raises ValueError where they are missing."""
    page = path.read_text()
    if not (BEGIN in page and END in page):
        raise ValueError(f"{path} lacks its marks")
    results = f"{BEGIN}\n\n{run}\n\n{table(rows)}\n\n{END}"
    path.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: results, page, flags=re.DOTALL))
