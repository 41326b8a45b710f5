"""Which node of a Redis Cluster has which slot, and a client for each node."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis
from redis.crc import key_slot
from redis.exceptions import MovedError

from app.core.redis_client import NOTHING_SENT

SLOTS = 16_384
REFRESH_SECONDS = 0.5
"""Between two looks at a map that has turned out wrong."""
SILENCE_TIMES = 2
"""A node that gave no answer in time is not asked for so many times its timeout: all that would go there would wait."""

_WITHOUT_KEY = frozenset({"INFO", "PING", "TIME", "CONFIG GET", "CONFIG SET"})
_WITH_NUMBER_OF_KEYS = frozenset({"EVAL", "EVALSHA"})

OpenNode = Callable[[str], redis.Redis]
"""A client of the one node at a URL, which connects on first use."""


@dataclass(slots=True)
class _Map:
    """Nodes are named by their URLs; `others`: the replicas."""

    by_slot: list[str]
    primaries: Sequence[str]
    others: Sequence[str]


class ClusterMap:
    """Asked for on first use, and anew when it was wrong. Fit for several threads or greenlets."""

    def __init__(self, url: str, open_node: OpenNode) -> None:
        """`url` may name several nodes, with commas between; each is asked for the others."""
        self._seeds = _urls_of(url)
        self._open_node = open_node
        self._nodes: dict[str, redis.Redis] = {}
        self._suspects: set[str] = set()
        self._silent_until: dict[str, float] = {}
        self._map: _Map | None = None
        self._is_stale = True
        self._failure: Exception | None = None
        self._next_refresh = 0.0
        self._refreshing = threading.Lock()

    def any_node(self) -> redis.Redis:
        """One that the URL names."""
        return self.node(self._seeds[0])

    def node(self, url: str) -> redis.Redis:
        node = self._nodes.get(url)
        if node is None:
            node = self._nodes[url] = self._open_node(url)
        return node

    def node_to_ask(self, url: str) -> redis.Redis:
        """Raises ConnectionError where it was silent a moment ago, unless all were, as it looks to a slow process."""
        if self._is_silent(url) and not (self._map and all(map(self._is_silent, self._map.primaries))):
            # another may have its slots at any moment
            self._is_stale = True
            raise _unsent("a node of the cluster was silent a moment ago")
        return self.node(url)

    def _is_silent(self, url: str) -> bool:
        return time.monotonic() < self._silent_until.get(url, 0.0)

    def nodes(self) -> list[redis.Redis]:
        """Those that were met so far."""
        return list(self._nodes.values())

    def primaries(self) -> list[redis.Redis]:
        """Raises redis errors where no node answers, and none ever has."""
        return [self.node(url) for url in self._known().primaries]

    def url_of(self, slot: int | None) -> str:
        """The primary that has it, or any. Raises as `primaries`, and where nobody has it."""
        known = self._known()
        url = known.primaries[0] if slot is None else known.by_slot[slot]
        if not url:
            self._is_stale = True
            raise _unsent(f"no node of the cluster has slot {slot}")
        return url

    def learn(self, moved: MovedError, told_by: str) -> str:
        """Where the slot is now; the rest of the map is asked for soon."""
        url = url_at(told_by, moved.host, moved.port)
        if self._map is not None:
            self._map.by_slot[moved.slot_id] = url
        self._is_stale = True
        return url

    def suspect(self, url: str, error: Exception) -> None:
        """That node was lost: another may have its slots by now."""
        self._suspects.add(url)
        self._is_stale = True
        if isinstance(error, redis.TimeoutError):
            timeout_seconds = float(self.node(url).connection_pool.connection_kwargs["socket_timeout"])
            self._silent_until[url] = time.monotonic() + SILENCE_TIMES * timeout_seconds

    def _known(self) -> _Map:
        """Where the map is wrong one thread asks for a new one, and the others go on with what there is."""
        known = self._map
        is_due = known is None or (self._is_stale and time.monotonic() >= self._next_refresh)
        if is_due and self._refreshing.acquire(blocking=known is None):
            try:
                if known is self._map and time.monotonic() >= self._next_refresh:
                    self._refresh()
            finally:
                self._refreshing.release()
        if self._map is None:
            # also to those who waited for somebody else to ask
            raise _unsent(f"no node of the cluster answers: {self._failure}") from self._failure
        return self._map

    def _refresh(self) -> None:
        """Ask the nodes one after the other, those that were lost last, until one answers."""
        known = self._map
        urls = [*known.primaries, *known.others] if known else list(self._seeds)
        # not all processes the same one
        random.shuffle(urls)
        urls.sort(key=self._suspects.__contains__)
        for url in dict.fromkeys([*urls, *self._seeds]):
            node: Any = self.node(url)
            try:
                rows = node.execute_command("CLUSTER SLOTS")
            except redis.RedisError as error:
                self._failure = error
                self._suspects.add(url)
                continue
            self._suspects.discard(url)
            if rows:
                self._map, self._is_stale = _map_of(rows, url), False
                break
        self._next_refresh = time.monotonic() + REFRESH_SECONDS


def _unsent(reason: str) -> redis.ConnectionError:
    """An error after which it is sure that nothing was done."""
    error = redis.ConnectionError(reason)
    error.add_note(NOTHING_SENT)
    return error


def slot_of(args: tuple[Any, ...]) -> int | None:
    """That of a command's key; None for a command without one."""
    command = args[0]
    if command in _WITHOUT_KEY:
        return None
    if command in _WITH_NUMBER_OF_KEYS:
        return _slot(args[3])
    if command == "XREADGROUP":
        return _slot(args[args.index(b"STREAMS") + 1])
    return _slot(args[1])


@lru_cache(maxsize=10_000)
def _slot(key: str | bytes) -> int:
    return key_slot(key.encode() if isinstance(key, str) else key)


def url_at(told_by: str, host: str, port: int) -> str:
    """The URL of another node, by what one told; a node that does not know its own name leaves it out."""
    parts = urlsplit(told_by)
    credentials, separator, _ = parts.netloc.rpartition("@")
    name = host or parts.hostname or ""
    return urlunsplit(parts._replace(netloc=f"{credentials}{separator}{f'[{name}]' if ':' in name else name}:{port}"))


def _urls_of(url: str) -> list[str]:
    """One for each node that a URL names."""
    parts = urlsplit(url)
    credentials, separator, hosts = parts.netloc.rpartition("@")
    return [
        urlunsplit(parts._replace(netloc=f"{credentials}{separator}{host if ':' in host else f'{host}:6379'}"))
        for host in hosts.split(",")
    ]


def _map_of(rows: Sequence[Any], told_by: str) -> _Map:
    """Of what CLUSTER SLOTS answers."""
    by_slot = [""] * SLOTS
    primaries: dict[str, None] = {}
    others: dict[str, None] = {}
    for first, last, *nodes in rows:
        urls = [url_at(told_by, (host or b"").decode(), port) for host, port, *_ in nodes]
        by_slot[first : last + 1] = [urls[0]] * (last + 1 - first)
        primaries[urls[0]] = None
        others.update(dict.fromkeys(urls[1:]))
    return _Map(by_slot, list(primaries), list(others))
