"""The whole Procfile under honcho, which signals every process as a platform does, with what app.json sets."""

import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psutil

from app.local.children import REPOSITORY, Child, Guard
from app.local.ports import free_port
from app.local.procfile import PROCFILE
from tests.processes import app_environment
from tests.waiting import wait_until

START_SECONDS = 60.0
PLATFORM_SECONDS = 30.0
"""A dyno has so long from SIGTERM to SIGKILL."""


def app_json() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REPOSITORY / "app.json").read_text())
    return found


def heroku_environment(database_url: str, redis_url: str) -> dict[str, str]:
    """What the platform sets itself, in its own forms, and the values of app.json; secrets are those of the tests."""
    given = {name.lower(): entry["value"] for name, entry in app_json()["env"].items() if "value" in entry}
    database_url = urlunsplit(urlsplit(database_url)._replace(scheme="postgres"))
    return app_environment(database_url, redis_url, metrics_token="tests-only-token", port=str(free_port()), **given)


@dataclass
class Dynos:
    """Web and worker, started by one honcho."""

    environment: Mapping[str, str]
    log_path: Path
    child: Child = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['PORT']}"

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def lines(self, process: str) -> list[str]:
        """What a process wrote, without what honcho puts before it."""
        begun = f" {process}.1 "
        return [line.partition("| ")[2] for line in self.log().splitlines() if begun in line.partition("|")[0]]

    def wait_until_up(self) -> "Dynos":
        wait_until(self._is_up, START_SECONDS)
        wait_until(lambda: '"worker started"' in self.log(), START_SECONDS)
        return self

    def _is_up(self) -> bool:
        assert self.child.exit_code() is None, self.log()
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def processes(self) -> list[psutil.Process]:
        """All below honcho: the shells, gunicorn and what it forked, the worker."""
        return psutil.Process(self.child.pid).children(recursive=True)

    def terminate(self) -> None:
        """SIGTERM, and wait until honcho and all below it are gone, for as long as a platform does."""
        processes = self.processes()
        self.child.ask_to_stop()
        wait_until(lambda: self.child.exit_code() is not None, PLATFORM_SECONDS)
        assert self.child.exit_code() == 128 + signal.SIGTERM
        wait_until(lambda: not any(_runs(process) for process in processes), PLATFORM_SECONDS)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _start(*processes: str) -> list[str]:
    return [sys.executable, "-m", "honcho", "start", "--procfile", str(PROCFILE), "--no-colour", *processes]


def release(guard: Guard, environment: Mapping[str, str], cwd: Path = REPOSITORY) -> str:
    """Run the release phase, which must succeed; what it printed."""
    return guard.run(_start("release"), name="release", environment=environment, cwd=cwd)


def start_dynos(guard: Guard, folder: Path, environment: Mapping[str, str], cwd: Path = REPOSITORY) -> Dynos:
    """Web and worker at work, with the code in `cwd` and the Python on the PATH of `environment`."""
    log_path = folder / "dynos.log"
    child = guard.start(
        _start("web", "worker"),
        log_path=log_path,
        environment={**environment, "TMPDIR": str(folder)},
        cwd=cwd,
    )
    return Dynos(environment, log_path, child).wait_until_up()
