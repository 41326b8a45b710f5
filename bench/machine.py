"""What the figures were measured on, and with."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
import psycopg

from bench.load_generator import CONNECTIONS, THREADS, find_wrk
from bench.stand import WEB_PROCESSES, Stand

PACKAGES = ("Flask", "gunicorn", "gevent", "marshmallow", "Flask-Limiter", "redis", "rq", "psycopg")


def facts(stand: Stand) -> list[str]:
    """One line each for the date, the machine, the versions and the load."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    with psycopg.connect(stand.postgres.url) as connection:
        postgres_version = connection.info.parameter_status("server_version")
    redis_version = stand.redis.info("server")["redis_version"]
    memory_gb = psutil.virtual_memory().total / 1_000_000_000
    cores = f"{os.cpu_count()} cores of {_processor()}, {memory_gb:.0f} GB of memory, {platform.system()} {_kernel()}"
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"{cores}; the load generator and all servers share them",
        f"Python {platform.python_version()}, {packages}; PostgreSQL {postgres_version}, Redis {redis_version}",
        f"{_wrk_version()}: `wrk -t{THREADS} -c{CONNECTIONS}`; {WEB_PROCESSES} gunicorn processes on each side",
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _kernel() -> str:
    """The version without what its builder added."""
    return platform.release().partition("-")[0]


def _wrk_version() -> str:
    """Its first words: wrk says its version in the first line of a usage message, and ends with an error."""
    said = subprocess.run([find_wrk(), "--version"], capture_output=True, text=True, check=False)
    words = (said.stdout or said.stderr).split()
    return " ".join(words[:2]) if words else "wrk"
