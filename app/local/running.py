"""Which `make run` is running in this checkout, and with which servers."""

import fcntl
import json
import os
import time
from pathlib import Path

from app.local.errors import CannotRun

DATA_DIR = Path(__file__).resolve().parents[2] / ".local"
LOCK_NAME = "lock"
RUNNING_NAME = "running.json"
# How long the guard of a killed run may need to end that run's processes.
PREVIOUS_RUN_SECONDS = 20.0


def running_environment(data_dir: Path = DATA_DIR) -> dict[str, str] | None:
    """DATABASE_URL, REDIS_URL and SECRET_KEY of the `make run` that runs now, else None; never raises."""
    try:
        running = json.loads((data_dir / RUNNING_NAME).read_text())
        if not is_alive(running["pid"]) or not _is_locked(data_dir / LOCK_NAME):
            return None
        return {name.upper(): str(running[name]) for name in ("database_url", "redis_url", "secret_key")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_secret(path: Path, text: str) -> None:
    """Replaces the file at once; only its owner can read it, from the first moment on."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def lock(data_dir: Path) -> int:
    """Takes the folder for this run; the lock lasts until every process that inherits the descriptor has ended.

    Waits for the guard of a run that was killed; raises CannotRun where another run is alive.
    """
    descriptor = os.open(data_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + PREVIOUS_RUN_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode().strip()
            if (holder and is_alive(int(holder))) or time.monotonic() > deadline:
                os.close(descriptor)
                raise CannotRun(f"another `make run` is running in this checkout (process {holder})") from None
            time.sleep(0.1)
            continue
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return descriptor


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_locked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
