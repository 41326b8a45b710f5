"""docs/proof.md: the frame is kept, and between the two marks each part of `make chaos` writes its own results anew."""

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


def facts() -> list[str]:
    """One line each for machine, versions and settings."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    postgres = subprocess.run(
        [find_postgres().folder / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[2]
    redis = ".".join(map(str, find_redis().version))
    memory_gb = psutil.virtual_memory().total / 1_000_000_000
    return [
        f"{os.cpu_count()} cores, {memory_gb:.0f} GB of memory, {platform.system()}; clients and servers share them",
        f"Python {platform.python_version()}, {packages}; PostgreSQL {postgres}, Redis {redis}",
        "PostgreSQL with `fsync=on`, Redis with `appendonly yes` and the `appendfsync` that is named below",
        "2 gunicorn processes and 2 workers as in the Procfile, `BUFFER_MAX_EVENTS=100000`, all else by default",
    ]


def run_line(arguments: Sequence[str], seed: int) -> str:
    """How and when a part was run, and what of."""
    command = f'`make chaos ARGS="{" ".join(arguments)}"`'
    return f"{command}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, revision {_revision()}, seed {seed}"


def write_proof(sections: Sequence[Section], lines: Sequence[str], run: str, path: Path = PROOF) -> None:
    """Replace the results of these sections in the page; others stay. Raises ValueError where the marks are missing.

    `lines` describe machine and versions, `run` stands with each of the sections.
    """
    page = path.read_text()
    if not (BEGIN in page and END in page):
        raise ValueError(f"{path} lacks its marks")
    before = page.partition(BEGIN)[2].partition(END)[0]
    found: list[tuple[str, str]] = re.findall(r"^### (.*?)\n(.*?)(?=^### |\Z)", before, re.DOTALL | re.MULTILINE)
    parts = dict(found)
    parts |= {each.title: markdown(each, run).partition("\n")[2] for each in sections}
    results = "\n".join([*(f"- {line}" for line in lines), ""])
    results += "\n" + "\n".join(f"### {title}\n{text.rstrip()}\n" for title, text in parts.items())
    path.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n\n{results}\n{END}", page, flags=re.DOTALL))


def _revision() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
