"""kill -9, of a random process, again and again."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import psutil

from chaos.service import Service

KINDS = ("gunicorn master", "gunicorn worker", "RQ worker", "PostgreSQL backend", "postmaster", "Redis")
MISSED_SECONDS = 0.1


@dataclass
class Killer:
    """Kills by kind, and the moments of each since the beginning, in seconds."""

    service: Service
    random: Random
    kinds: Sequence[str] = KINDS
    kills: Counter[str] = field(default_factory=Counter)

    def kill_one(self) -> bool:
        """Whether it found one that runs; the kinds are equally likely."""
        kind = self.random.choice(self.kinds)
        victims = self._victims(kind)
        if not victims:
            return False
        victim = self.random.choice(victims)
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            return False
        self.kills[kind] += 1
        return True

    def run(self, goes_on: Callable[[], bool], *, shortest_seconds: float = 1.0, longest_seconds: float = 5.0) -> None:
        """One kill after another, with random pauses between."""
        while goes_on():
            time.sleep(self.random.uniform(shortest_seconds, longest_seconds))
            while not self.kill_one():
                time.sleep(MISSED_SECONDS)

    def _victims(self, kind: str) -> list[psutil.Process]:
        """Processes that this run started, by the tree below those that it knows."""
        service = self.service
        find: dict[str, Callable[[], list[psutil.Process]]] = {
            "gunicorn master": lambda: _running(service.web.pid),
            "gunicorn worker": lambda: _children(service.web.pid),
            "RQ worker": lambda: [process for worker in service.workers for process in _running(worker.pid)],
            "PostgreSQL backend": lambda: _client_backends(service.servers.postgres.pid),
            "postmaster": lambda: _running(service.servers.postgres.pid),
            "Redis": lambda: _running(service.servers.redis.pid),
        }
        try:
            return find[kind]()
        except psutil.NoSuchProcess:
            return []


def _client_backends(postmaster_id: int) -> list[psutil.Process]:
    """Those that serve a connection have its address in their title."""
    return [backend for backend in _children(postmaster_id) if "127.0.0.1" in " ".join(backend.cmdline())]


def kill(process_id: int) -> None:
    """SIGKILL to one process of this run alone, unless it has just ended; the platform starts it again."""
    with suppress(psutil.NoSuchProcess):
        psutil.Process(process_id).kill()


def _running(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process] if process.status() != psutil.STATUS_ZOMBIE else []


def _children(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children() if child.status() != psutil.STATUS_ZOMBIE]
