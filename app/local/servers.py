"""What PostgreSQL and Redis have in common: they listen, they may fail to start, and their log says why."""

import time
from collections.abc import Callable
from pathlib import Path

from app.local.children import Child
from app.local.errors import CannotRun

START_SECONDS = 60.0


def wait_until_ready(name: str, child: Child, is_ready: Callable[[], bool], log_path: Path, log_start: int) -> None:
    """Returns when the server answers; stops it and raises CannotRun, with its last words, when it does not."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if child.exit_code() is not None:
            raise CannotRun(f"{name} did not start: {last_words(log_path, log_start)} (see {log_path})")
        if time.monotonic() > deadline:
            child.kill()
            raise CannotRun(f"{name} did not answer within {START_SECONDS:.0f} s (see {log_path})")
        time.sleep(0.02)


def last_words(log_path: Path, log_start: int) -> str:
    """The line of a log that tells most about a failure: the last fatal one, else the last one."""
    with log_path.open("rb") as log:
        log.seek(log_start)
        lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "FAILED", "Could not", "Can't"))]
    return (fatal or lines or ["it said nothing"])[-1]


def log_path_of(data_dir: Path) -> Path:
    """Beside the data, not in it."""
    return data_dir.with_name(data_dir.name + ".log")


def log_size(log_path: Path) -> int:
    return log_path.stat().st_size if log_path.exists() else 0
