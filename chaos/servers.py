"""PostgreSQL and Redis of a chaos run: as in production, each fsync included, and meant to be killed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import redis
from psycopg import sql

from app.local.binaries import RedisBinary, find_redis
from app.local.children import Guard
from app.local.postgres import RunningPostgres, start_postgres
from app.local.redis_server import RunningRedis
from chaos.redis_cluster import RunningCluster

Fsync = Literal["always", "everysec"]


class ChaosRedis(RunningRedis):
    """A Redis with settings of its own, which hold over restarts."""

    def __init__(self, data_dir: Path, guard: Guard, binary: RedisBinary, settings: Sequence[str]) -> None:
        self.settings = list(settings)
        super().__init__(data_dir, guard, binary)

    def _command(self) -> list[str]:
        return [*super()._command(), *self.settings]


@dataclass(frozen=True)
class Servers:
    """The two servers; each service gets a database of its own in them.

    With a `cluster` events are in that, and `redis` has nothing but RQ's queue.
    """

    folder: Path
    guard: Guard
    postgres: RunningPostgres
    redis: ChaosRedis
    cluster: RunningCluster | None = None

    @property
    def redis_url(self) -> str:
        """Of what has the events."""
        return self.cluster.url if self.cluster else self.redis.url

    @property
    def redis_settings(self) -> dict[str, str]:
        """What processes must be told besides."""
        return {"redis_cluster": "on", "queue_redis_url": self.redis.url} if self.cluster else {}

    def new_database(self) -> str:
        """The URL of an empty one."""
        name = f"chaos_{uuid4().hex}"
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return urlunsplit(urlsplit(self.postgres.url)._replace(path=f"/{name}"))

    def empty_redis(self) -> None:
        """Takes seconds where a scenario has left millions of entries, and the machine is busy."""
        with redis.Redis.from_url(self.redis.url, socket_timeout=120) as client:
            client.flushall()
        if self.cluster:
            self.cluster.empty()

    def make_sure_they_run(self) -> None:
        """Whatever was done to them before."""
        for server in (self.postgres, self.redis):
            if server.exit_code() is not None:
                server.restart()


def start_chaos_redis(folder: Path, guard: Guard, *settings: str) -> ChaosRedis:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return ChaosRedis(folder.resolve(), guard, find_redis(), settings)


@contextmanager
def open_servers(folder: Path, *, fsync: Fsync = "always", with_cluster: bool = False) -> Iterator[Servers]:
    """Both, with nothing in them; they end with the block, or with this process, even if it is killed.

    With `always` Redis has each acknowledged event on its disk; with `everysec` a kill can lose what it put off.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with Guard() as guard:
        postgres = start_postgres(folder / "postgres", guard, durable=True)
        redis_server = start_chaos_redis(folder / "redis", guard, "--appendfsync", fsync)
        cluster = RunningCluster(folder / "redis-cluster", guard) if with_cluster else None
        yield Servers(folder, guard, postgres, redis_server, cluster)
