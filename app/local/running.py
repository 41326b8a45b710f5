"""Which `make run` is running in this checkout, and with which servers."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.local.errors import CannotRun

DATA_DIR = Path(__file__).resolve().parents[2] / ".local"
LOCK_NAME = "lock"
RUNNING_NAME = "running.json"
GUARD_LOCK_NAME = "guard-lock"
# Others look whether the lock is held by taking it for a moment.
PROBE_SECONDS = 0.5
# How long the guard of a killed run may need to end that run's processes.
PREVIOUS_RUN_SECONDS = 20.0


def running_environment(data_dir: Path = DATA_DIR) -> dict[str, str] | None:
    """DATABASE_URL, REDIS_URL, SECRET_KEY and PORT of the `make run` that runs now, else None; never raises."""
    try:
        running = json.loads((data_dir / RUNNING_NAME).read_text())
        with (data_dir / LOCK_NAME).open() as lock:
            if _try_lock(lock.fileno(), fcntl.LOCK_SH):
                return None
        return {name.upper(): str(running[name]) for name in ("database_url", "redis_url", "secret_key", "port")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_secret(path: Path, text: str) -> None:
    """Replaces the file at once; only its owner can read it, from the first moment on."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


@contextmanager
def locked(data_dir: Path) -> Iterator[int]:
    """Holds the folder for this run, and gives a descriptor that its guard must inherit and thereby hold as well.

    Waits for the guard of a run that was killed; raises CannotRun where another run is alive.
    """
    with (data_dir / LOCK_NAME).open("a+") as own, (data_dir / GUARD_LOCK_NAME).open("a+") as guards:
        if not _take(own.fileno(), PROBE_SECONDS):
            own.seek(0)
            raise CannotRun(f"another `make run` is running in this checkout (process {own.read()})")
        own.truncate(0)
        own.write(str(os.getpid()))
        own.flush()
        if not _take(guards.fileno(), PREVIOUS_RUN_SECONDS):
            raise CannotRun("the processes of a run that was killed have not ended yet; try again")
        yield guards.fileno()


def _take(descriptor: int, timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not _try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
