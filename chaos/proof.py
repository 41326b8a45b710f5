"""docs/proof.md: the frame is kept, and what stands between the two marks is written anew by `make chaos`."""

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from app.local.binaries import find_postgres, find_redis
from app.local.children import REPOSITORY
from chaos.report import Section, markdown

PROOF = REPOSITORY / "docs" / "proof.md"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"
PACKAGES = ("Flask", "gunicorn", "gevent", "redis", "rq", "psycopg")


def facts(seed: int, seconds: float) -> list[str]:
    """One line each for date, machine, versions and settings."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    postgres = subprocess.run(
        [find_postgres().folder / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[2]
    redis = ".".join(map(str, find_redis().version))
    memory_gb = psutil.virtual_memory().total / 1_000_000_000
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, revision {_revision()}, seed {seed}, {seconds / 60:.0f} minutes",
        f"{os.cpu_count()} cores, {memory_gb:.0f} GB of memory, {platform.system()}; clients and servers share them",
        f"Python {platform.python_version()}, {packages}; PostgreSQL {postgres}, Redis {redis}",
        "PostgreSQL with `fsync=on`, Redis with `appendonly yes` and the `appendfsync` that is named below",
        "2 gunicorn processes and 2 workers as in the Procfile, `BUFFER_MAX_EVENTS=100000`, all else by default",
    ]


def write_proof(sections: Sequence[Section], lines: Sequence[str], path: Path = PROOF) -> None:
    """Replace the results in the page. Raises ValueError where the marks are not there."""
    page = path.read_text()
    if not (BEGIN in page and END in page):
        raise ValueError(f"{path} lacks its marks")
    results = "\n".join([*(f"- {line}" for line in lines), "", *map(markdown, sections)])
    path.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n\n{results}\n{END}", page, flags=re.DOTALL))


def _revision() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
