"""A folder for a run of `make bench` or `make chaos`."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.local.errors import CannotRun
from app.local.running import DATA_DIR


@contextmanager
def own_folder(name: str) -> Iterator[Path]:
    """An empty folder for one run at a time; what a run that was killed has left there goes first."""
    DATA_DIR.mkdir(mode=0o700, exist_ok=True)
    folder = DATA_DIR / name
    with (DATA_DIR / f"{name}-lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotRun(f"another `make {name}` is running in this checkout") from None
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
