"""The test stand: servers of its own, the real processes of the Procfile, and whatever is measured beside them."""

import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import psutil
import redis

from app.core.contract import ANALYTICS_PATH
from app.local.children import REPOSITORY, Child, Guard
from app.local.errors import CannotRun
from app.local.own_folder import own_folder
from app.local.ports import free_port
from app.local.postgres import RunningPostgres, start_postgres
from app.local.procfile import process_environment, read_procfile, shell_command
from app.local.redis_server import RunningRedis, start_redis
from app.local.servers import last_words
from app.local.web_client import get

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
WEB_PROCESSES = 2
START_SECONDS = 30.0
NO_LIMIT = "2000000000/minute"
"""Counted and answered with headers like any other limit, and never reached."""
BATCH_PATH = f"{ANALYTICS_PATH}/batch"


@dataclass(frozen=True)
class Process:
    """A process, or a master with its processes."""

    name: str
    port: int
    child: Child = field(repr=False)
    log_path: Path = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def working_processes(self) -> list[psutil.Process]:
        """Those that do the work: the children of a master, else the process itself."""
        leader = psutil.Process(self.child.pid)
        return leader.children() or [leader]

    def expect_running(self) -> None:
        """CannotRun, with its last words, where it has ended."""
        code = self.child.exit_code()
        if code is not None:
            raise CannotRun(f"{self.name} ended with exit code {code}: {last_words(self.log_path, 0)}")


@dataclass(frozen=True)
class Stand:
    """`redis` is for looking and for emptying; the processes have their own connections."""

    folder: Path
    guard: Guard
    postgres: RunningPostgres
    redis_server: RunningRedis
    redis: redis.Redis
    environment: Mapping[str, str]

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        ready_path: str | None = None,
        start_seconds: float = START_SECONDS,
        **variables: str,
    ) -> Process:
        """Start a process; where `ready_path` is given, it answers there with 200 when this returns."""
        log_path = self.folder / f"{name}-{port}.log"
        environment = {**self.environment, "PORT": str(port), **variables}
        child = self.guard.start(command, log_path=log_path, environment=environment, cwd=REPOSITORY)
        process = Process(name, port, child, log_path)
        deadline = time.monotonic() + start_seconds
        while ready_path is not None and get(port, ready_path)[0] != HTTPStatus.OK:
            process.expect_running()
            if time.monotonic() > deadline:
                raise CannotRun(f"{name} is not ready after {start_seconds:.0f} s: {last_words(log_path, 0)}")
            time.sleep(0.05)
        return process

    def start_web(self) -> Process:
        """The Procfile's web, for this machine only."""
        port = free_port()
        command = shell_command(read_procfile()["web"])
        bind = f"--bind=127.0.0.1:{port}"
        return self.start("web", command, port=port, ready_path="/readyz", GUNICORN_CMD_ARGS=bind)

    def start_worker(self, worker_name: str) -> Process:
        """The Procfile's worker; it waits for jobs when this returns."""
        known = self.redis.scard("rq:workers")
        process = self.start(
            worker_name, shell_command(read_procfile()["worker"]), port=free_port(), WORKER_NAME=worker_name
        )
        deadline = time.monotonic() + START_SECONDS
        while self.redis.scard("rq:workers") == known:
            process.expect_running()
            if time.monotonic() > deadline:
                raise CannotRun(
                    f"the worker waits for no jobs after {START_SECONDS:.0f} s: {last_words(process.log_path, 0)}"
                )
            time.sleep(0.02)
        return process

    def create_key(self, project: str) -> str:
        """A new API key without a limit that would be reached."""
        command = [sys.executable, "-m", "app", "keys", "create", "--project", project, "--name", "bench"]
        command += ["--scope", "ingest", "--scope", "read", "--limit", NO_LIMIT]
        return self.guard.run(command, name="keys create", environment=self.environment, cwd=REPOSITORY)

    def empty_redis(self) -> None:
        """Nothing in it, and nothing in its file, so that every run begins alike. No worker may be running."""
        self.redis.flushall()
        # Redis begins one by itself when its file has grown, and refuses a second one meanwhile.
        self._wait_for_rewrite()
        self.redis.bgrewriteaof()
        self._wait_for_rewrite()

    def _wait_for_rewrite(self) -> None:
        while self.redis.info("persistence")["aof_rewrite_in_progress"]:
            time.sleep(0.02)


@contextmanager
def open_stand() -> Iterator[Stand]:
    """PostgreSQL and Redis as in production, migrated; everything is ended and removed afterwards."""
    with own_folder("bench") as folder, Guard() as guard:
        postgres = start_postgres(folder / "postgres", guard, durable=True)
        redis_server = start_redis(folder / "redis", guard)
        base = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment = process_environment(
            base,
            database_url=postgres.url,
            redis_url=redis_server.url,
            secret_key=secrets.token_urlsafe(48),
            web_concurrency=str(WEB_PROCESSES),
            log_level="info",
        )
        release = shell_command(read_procfile()["release"])
        guard.run(release, name="release", environment=environment, cwd=REPOSITORY)
        with redis.Redis.from_url(redis_server.url) as client:
            yield Stand(folder, guard, postgres, redis_server, client, environment)
