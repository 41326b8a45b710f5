"""The release 0.1.0, out of the history of this repository: what runs beside a new one during a deploy."""

import io
import subprocess
import tarfile
from pathlib import Path

from app.local.children import REPOSITORY
from app.local.errors import CannotRun

VERSION = "0.1.0"
HEADING = f"## {VERSION}"
"""Of the changelog: the commit that wrote it there is the release."""
YOUNGER = "app/core/migrations/versions/0004_ledger.py"
"""A shallow history says of its first commit that it wrote everything: this one cannot be in 0.1.0."""
PARTS = ("app", "config", "worker", "Procfile")


def hindrance() -> str:
    """Why it cannot be had here; empty where it can."""
    try:
        _commit()
    except CannotRun as error:
        return str(error)
    return ""


def check_out(folder: Path) -> None:
    """Its code, to run with the packages of today. CannotRun where the history does not have it."""
    archive = _git("archive", "--format=tar", _commit(), *PARTS)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def _commit() -> str:
    found = _git("log", "--reverse", "--format=%H", f"-S{HEADING}", "--", "CHANGELOG.md").decode().split()
    if not found or _git("ls-tree", found[0], YOUNGER):
        raise CannotRun(f"the history of this checkout does not go back to {VERSION}")
    return found[0]


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotRun(f"this is no checkout with a history: {error}") from error
    return done.stdout
