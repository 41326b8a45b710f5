"""What a reader can check by himself: the ledger and the database of a run, as files with their SHA-256."""

import hashlib
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.local.binaries import find_postgres
from app.local.errors import CannotRun
from chaos.service import Service

DUMP_SECONDS = 900


@dataclass(frozen=True)
class Artifact:
    name: str
    size_bytes: int
    sha256: str


def keep(service: Service, folder: Path, name: str) -> list[Artifact]:
    """The ledger as a tar file, the database as pg_dump's custom format."""
    folder.mkdir(parents=True, exist_ok=True)
    ledger = folder / f"{name}-ledger.tar.gz"
    with tarfile.open(ledger, "w:gz", compresslevel=3) as archive:
        archive.add(service.ledger_folder, arcname="ledger")
    dump = folder / f"{name}.dump"
    _dump(service.database_url, dump)
    return [_described(path) for path in (ledger, dump)]


def _dump(database_url: str, path: Path) -> None:
    program = find_postgres().folder / "pg_dump"
    url = urlsplit(database_url)
    environment = {**os.environ, "PGPASSWORD": unquote(url.password or "")}
    command = [str(program), "-Fc", "-Z1", "-h", "127.0.0.1", "-p", str(url.port), "-U", str(url.username)]
    command += ["-f", str(path), url.path.lstrip("/")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DUMP_SECONDS, check=False)
    if done.returncode != 0:
        raise CannotRun(f"pg_dump: {done.stderr.strip()}")


def _described(path: Path) -> Artifact:
    with path.open("rb") as file:
        return Artifact(path.name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
