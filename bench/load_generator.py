"""wrk: finds it, runs it against a server on this machine, and reads what it measured."""

import json
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from app.local.children import Child, Guard
from app.local.errors import CannotRun

SCRIPT = Path(__file__).parent / "wrk" / "requests.lua"
THREADS = 1
CONNECTIONS = 32
PACED_CONNECTIONS = 128
"""So many that a slow answer does not keep the next requests from coming."""
TIMEOUT_SECONDS = 10
"""Large batches on 32 connections wait for each other; that is slow, and no failure."""
INSTALL_SECONDS = 120
GRACE_SECONDS = 30


@dataclass(frozen=True)
class Load:
    """What was measured. Latencies are corrected for coordinated omission by wrk itself."""

    requests: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Source:
    """Where requests come from and go to: bodies from `bodies_path`, one on each line."""

    url: str
    api_key: str
    bodies_path: Path


def find_wrk() -> str:
    """The program; on Debian root gets it installed. Raises CannotRun, which says how to get it."""
    found = shutil.which("wrk")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "wrk"]):
            subprocess.run(command, env=environment, capture_output=True, timeout=INSTALL_SECONDS, check=False)
        found = shutil.which("wrk")
    if found is None:
        raise CannotRun("the load generator wrk is not here: install it (apt-get install wrk, or brew install wrk)")
    return found


def run_load(guard: Guard, source: Source, seconds: int, *, think_ms: float = 0.0) -> Load:
    """Load a server for some seconds: as fast as it answers, or with a mean think time in each connection.

    Raises CannotRun where any request was not answered with success.
    """
    command = _command(source, seconds, think_ms)
    output = guard.run(command, name="wrk", timeout_seconds=seconds + GRACE_SECONDS)
    return _measured(source.url, output)


def send_one(source: Source) -> int:
    """Send the first body alone; returns the status of the answer. Raises OSError where there is none."""
    url = urlsplit(source.url)
    with source.bodies_path.open() as bodies:
        body = bodies.readline().rstrip()
    headers = {"Authorization": f"Bearer {source.api_key}", "Idempotency-Key": secrets.token_hex(6)}
    connection = HTTPConnection("127.0.0.1", url.port, timeout=GRACE_SECONDS)
    try:
        connection.request("POST", url.path, body, {**headers, "Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def start_load(guard: Guard, source: Source, seconds: int, *, think_ms: float, log_path: Path) -> Child:
    """The same in the background; its figures are in the log when it has ended."""
    return guard.start(_command(source, seconds, think_ms), log_path=log_path)


def finished_load(child: Child, source: Source, log_path: Path) -> Load:
    """Waits for what `start_load` began. Raises as `run_load`."""
    child.wait()
    return _measured(source.url, log_path.read_text())


def think_ms_for(rate: float, connections: int = PACED_CONNECTIONS, *, answer_ms: float = 2.0) -> float:
    """The mean think time with which so many connections send `rate` requests a second."""
    return max(0.1, connections / rate * 1_000 - answer_ms)


def _command(source: Source, seconds: int, think_ms: float) -> list[str]:
    connections = PACED_CONNECTIONS if think_ms else CONNECTIONS
    shape = [
        f"-t{THREADS}",
        f"-c{connections}",
        f"-d{seconds}s",
        f"--timeout={TIMEOUT_SECONDS}s",
        "-s",
        str(SCRIPT),
        source.url,
    ]
    run = secrets.token_hex(6)
    return [find_wrk(), *shape, "--", source.api_key, run, str(source.bodies_path), f"{think_ms:.3f}"]


def _measured(url: str, output: str) -> Load:
    try:
        measured = json.loads(output.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise CannotRun(f"wrk measured nothing: {output.strip() or 'it said nothing'}") from None
    if measured["refused"] or measured["failed"] or not measured["requests"]:
        raise CannotRun(
            "{url}: of {requests} requests {refused} were refused and {failed} failed".format(url=url, **measured)
        )
    seconds = measured["duration_us"] / 1_000_000
    return Load(
        measured["requests"],
        measured["requests"] / seconds,
        p50_ms=measured["p50_us"] / 1_000,
        p99_ms=measured["p99_us"] / 1_000,
    )
