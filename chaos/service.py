"""The service under test: the processes of the Procfile, looked after by a platform, with a load and its ledger."""

import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import redis

from app.core.redis_cluster import open_redis
from app.core.stream.streams import MOST_STREAMS, key_of
from app.local.children import REPOSITORY
from app.local.errors import CannotRun
from app.local.ports import free_port
from app.local.procfile import process_environment, read_procfile, shell_command
from app.local.servers import last_words
from app.local.web_client import get
from chaos.events import last_midnight
from chaos.injections import CrashPoint, write_plan
from chaos.ledger import Ledger, Progress
from chaos.load import BLOCK, Orders
from chaos.platform import Platform, Process
from chaos.servers import Servers

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
NO_LIMIT = "2000000000/minute"
START_SECONDS = 60.0


@dataclass
class Service:
    """Its processes by name, and what they work on. `database_url` leads past any proxy."""

    folder: Path
    servers: Servers
    platform: Platform
    database_url: str
    environment: Mapping[str, str]
    api_key: str
    port: int
    processes: dict[str, Process] = field(default_factory=dict)
    blocks_used: int = 0

    def __post_init__(self) -> None:
        self.ledger_folder = self.folder / "ledger"
        self.ledger_folder.mkdir()
        self.progress = Progress(self.ledger_folder)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def web(self) -> Process:
        return self.processes["web"]

    @property
    def workers(self) -> list[Process]:
        return [process for name, process in self.processes.items() if name != "web"]

    def redis_client(self) -> redis.Redis:
        """Past any proxy."""
        return open_redis(
            self.servers.redis_url, lambda url: redis.Redis.from_url(url, socket_timeout=10), cluster=self.has_cluster
        )

    @property
    def has_cluster(self) -> bool:
        return self.servers.cluster is not None

    def start_web(self) -> None:
        self._start("web", "web", {})

    def start_worker(self, name: str, **variables: str) -> None:
        """Under a name that it keeps over restarts."""
        self._start("worker", name, {"WORKER_NAME": name, "PORT": str(free_port()), **variables})

    def _start(self, kind: str, name: str, variables: Mapping[str, str]) -> None:
        command, log_path = shell_command(read_procfile()[kind]), self.folder / f"{name}.log"
        environment = {**self.environment, **variables}
        process = Process(command, self.servers.guard, log_path=log_path, environment=environment, cwd=REPOSITORY)
        self.processes[name] = process
        self.platform.look_after(name, process)

    @contextmanager
    def load(self, seed: int, **orders: float | str) -> Iterator[None]:
        """Clients post while the block runs; when it has ended each has had its last answer."""
        given = Orders(
            url=self.url,
            api_key=self.api_key,
            ledger=str(self.ledger_folder),
            midnight=last_midnight().isoformat(),
            seed=seed,
            first_block=self.blocks_used,
        )
        path = self.folder / f"orders-{self.blocks_used}.json"
        path.write_text(replace(given, **orders).to_json())  # type: ignore[arg-type]
        command = [sys.executable, "-m", "chaos.load", str(path)]
        log_path = self.folder / "load.log"
        child = self.servers.guard.start(command, log_path=log_path, environment=self.environment, cwd=REPOSITORY)
        try:
            yield
            if child.exit_code() is not None:
                raise CannotRun(f"the load has ended: {last_words(log_path, 0)}")
        finally:
            child.stop(60)
            self.blocks_used = self._highest_block() + 1

    def _highest_block(self) -> int:
        last = 0
        for path in self.ledger_folder.glob("*.ledger"):
            for line in path.read_text().splitlines():
                last = max(last, sum(map(int, line.split()[1:3])))
        return last // BLOCK

    def plant(self, count: int) -> None:
        """Note in the ledger that entries were put into the buffer which nobody sent."""
        with Ledger(self.ledger_folder / "planted.ledger") as ledger:
            ledger.planted(count)

    def wait_for(self, events: int, timeout_seconds: float = 120) -> None:
        """Until so many more events are acknowledged."""
        goal = self.progress.events() + events
        wait_until(lambda: self.progress.events() >= goal, f"{events} more acknowledged events", timeout_seconds)

    def depth(self) -> int:
        """How many entries wait in the buffer; -1 while Redis does not say."""
        try:
            with self.redis_client() as client, client.pipeline(transaction=False) as pipeline:
                for stream in range(MOST_STREAMS):
                    pipeline.xlen(key_of(client, stream))
                return sum(pipeline.execute())
        except redis.RedisError:
            return -1

    def wait_until_empty(self, timeout_seconds: float = 60) -> float:
        """Until nothing is buffered any more; returns the seconds it took."""
        began_at = time.monotonic()
        wait_until(lambda: self.depth() == 0, "an empty buffer", timeout_seconds)
        return time.monotonic() - began_at

    def wait_until_restarted(self, name: str, restarts: int) -> None:
        """Until the platform has started it more often than that."""
        wait_until(lambda: self.platform.restarts[name] > restarts, f"a new {name}", START_SECONDS)

    def wait_until_up(self) -> None:
        """Until web answers; whether it is content with its servers is another question."""
        wait_until(lambda: get(self.port, "/healthz")[0] == HTTPStatus.OK, "a web process that is up", START_SECONDS)


def wait_until(condition: Callable[[], bool], what: str, timeout_seconds: float) -> None:
    """CannotRun where it does not come true in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise CannotRun(f"{what}: not within {timeout_seconds:g} s")
        time.sleep(0.05)


@contextmanager
def open_service(
    servers: Servers,
    name: str,
    *,
    workers: int = 2,
    crashes: Sequence[CrashPoint] = (),
    sabotages: Sequence[str] = (),
    redis_port: int | None = None,
    database_port: int | None = None,
    pause_seconds: float = 0.5,
    **settings: str,
) -> Iterator[Service]:
    """Web and workers on an empty database and an empty Redis; ports: of proxies that they go through.

    The platform starts again what has ended after `pause_seconds`.
    """
    servers.make_sure_they_run()
    servers.empty_redis()
    folder = servers.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    database_url, port = servers.new_database(), free_port()
    settings = {**servers.redis_settings, **settings}
    direct = _environment(folder, port, database_url, servers.redis_url, settings)
    servers.guard.run(shell_command(read_procfile()["release"]), name="release", environment=direct, cwd=REPOSITORY)
    api_key = _create_key(servers, direct)
    through = _with_port(database_url, database_port), _with_port(servers.redis_url, redis_port)
    environment = _environment(folder, port, *through, settings)
    environment |= write_plan(folder, crashes=crashes, sabotages=sabotages)
    with Platform(pause_seconds) as platform:
        service = Service(folder, servers, platform, database_url, environment, api_key, port)
        try:
            service.start_web()
            for number in range(1, workers + 1):
                service.start_worker(f"worker-{number}")
            yield service
        finally:
            platform.close()
            for process in service.processes.values():
                process.kill()


def _environment(
    folder: Path, port: int, database_url: str, redis_url: str, settings: Mapping[str, str]
) -> dict[str, str]:
    base = {name: os.environ[name] for name in INHERITED if name in os.environ}
    given = {"log_level": "info", "web_concurrency": "2", "buffer_max_events": "100000", **settings}
    given |= {"port": str(port), "secret_key": secrets.token_urlsafe(48)}
    environment = process_environment(base, database_url=database_url, redis_url=redis_url, **given)
    return {**environment, "GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{port}", "TMPDIR": str(folder)}


def _create_key(servers: Servers, environment: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "app", "keys", "create", "--project", "chaos", "--name", "chaos"]
    command += ["--scope", "ingest", "--scope", "read", "--limit", NO_LIMIT]
    return servers.guard.run(command, name="keys create", environment=environment, cwd=REPOSITORY)


def _with_port(url: str, port: int | None) -> str:
    if port is None:
        return url
    parts = urlsplit(url)
    login, _, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}"))
