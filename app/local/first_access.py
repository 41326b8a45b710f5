"""The first API key and the first sign-in: made once for each database, kept, and shown at every start."""

import hashlib
import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path

from app.core.contract import ANALYTICS_PATH
from app.local.children import REPOSITORY, Guard
from app.local.errors import CannotRun
from app.local.running import write_secret
from app.local.web_client import get

EMAIL = "admin@localhost"
PROJECT = "demo"
MAKE_KEY = ("keys", "create", "--project", PROJECT, "--name", "first-key", "--scope", "ingest", "--scope", "read")

# The project is named: others may make theirs between the start and the first sign-in.
MAKE_USER = ("users", "create", "--project", PROJECT)


@dataclass(frozen=True)
class FirstAccess:
    api_key: str
    email: str
    password: str


def first_access(
    data_dir: Path, guard: Guard, environment: Mapping[str, str], port: int, *, own_database: bool
) -> FirstAccess:
    """What was kept for this database, with a new key or a new sign-in in place of one that is not valid any more.

    The web process must be ready. Raises CannotRun where a command fails.
    """
    path = data_dir / _file_name(environment["DATABASE_URL"], own_database=own_database)
    kept = _read(path)
    if kept is not None and get(port, ANALYTICS_PATH, api_key=kept.api_key)[0] != HTTPStatus.UNAUTHORIZED:
        return kept
    api_key = _command(guard, environment, *MAKE_KEY)
    if kept is not None and kept.email in _command(guard, environment, "users", "list").split():
        email, password = kept.email, kept.password
    else:
        email, password = _make_user(guard, environment)
    made = FirstAccess(api_key, email, password)
    write_secret(path, json.dumps(asdict(made)))
    return made


def _file_name(database_url: str, *, own_database: bool) -> str:
    if own_database:
        return "first-access.json"
    return f"first-access-{hashlib.sha256(database_url.encode()).hexdigest()[:12]}.json"


def _read(path: Path) -> FirstAccess | None:
    try:
        return FirstAccess(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _make_user(guard: Guard, environment: Mapping[str, str]) -> tuple[str, str]:
    try:
        return EMAIL, _command(guard, environment, *MAKE_USER, "--email", EMAIL)
    except CannotRun:
        # The user is there but the file with the password was lost; only its hash is in the database.
        email = EMAIL.replace("@", f"-{secrets.token_hex(3)}@")
        return email, _command(guard, environment, *MAKE_USER, "--email", email)


def _command(guard: Guard, environment: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "app", *arguments]
    return guard.run(command, name=" ".join(arguments[:2]), environment=environment, cwd=REPOSITORY)
