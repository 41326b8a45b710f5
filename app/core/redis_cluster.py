"""A client of a whole Redis Cluster: each command goes to the primary that has its key.

redis-py's own RedisCluster connects when it is made, which is before the fork; it asks anew for the map of slots on the
time of each request that fails, one after the other; and it takes a connection of a pool for every command, where a web
process shares one. So here are redis-py's parts (connections, parsing, slots, the errors that redirect) under a router
of ours, which sends a command again only where a node has surely not done it.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import redis
from redis.client import Pipeline
from redis.commands.core import Script
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoScriptError,
    TryAgainError,
)

from app.core.cluster_map import ClusterMap, OpenNode, slot_of, url_at
from app.core.redis_client import NOTHING_SENT

MOST_REDIRECTIONS = 5
PATIENCE_SECONDS = 0.8
"""A node that does not even refuse a connection takes its timeout, and whoever waits has waited for one already."""

_NODE_LOST = (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError, ClusterDownError, MasterDownError)

_REFUSED_FOR_A_WHILE = (TryAgainError, ClusterDownError, BusyLoadingError)
"""A slot is on its way to another node with half of its keys; a node has lost the others; it still reads its file."""
_NO_REPLICAS = "NOREPLICAS"
"""How a primary refuses what too few replicas would hear of (min-replicas-to-write); redis-py has no class for it."""

T = TypeVar("T")

Command = tuple[tuple[Any, ...], dict[str, Any]]
"""Arguments and options, as redis-py's pipelines keep them."""


class ClusterRedis(redis.Redis):
    """Fit for several threads or greenlets, and connects on first use. Commands raise what redis-py raises."""

    def __init__(self, url: str, open_node: OpenNode) -> None:
        """`url` may name several nodes, with commas between; each is asked for the others."""
        self._map = ClusterMap(url, open_node)
        super().__init__(connection_pool=self._map.any_node().connection_pool)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send it to the node of its key, and to where that one points."""
        url, is_asking = self._map.url_of(slot_of(args)), False
        for _ in range(MOST_REDIRECTIONS):
            node: Any = self._map.node_to_ask(url)
            try:
                return _ask(node, args, options) if is_asking else node.execute_command(*args, **options)
            except MovedError as moved:
                url, is_asking = self._map.learn(moved, url), False
            except AskError as elsewhere:
                url, is_asking = url_at(url, elsewhere.host, elsewhere.port), True
            except _NODE_LOST as error:
                self._map.suspect(url, error)
                raise
        raise redis.RedisError("the nodes of the cluster point at each other")

    def pipeline(self, transaction: Any = True, shard_hint: Any = None) -> Pipeline:  # noqa: FBT002 - as redis-py's
        """Commands that travel together to each node; with `transaction` all keys must be in one slot.

        A command without a key goes with the first one that has one.
        """
        return _ClusterPipeline(self, transaction, shard_hint)

    def register_script(self, script: Any) -> Script:
        """A script for the nodes of its keys, also one that has just become a primary and never heard of it."""
        return _ClusterScript(self, script)

    def mget(self, keys: Any, *args: Any) -> Any:
        """One after the other: they may be on different nodes."""
        names = [keys, *args] if isinstance(keys, str | bytes) else [*keys, *args]
        return [self.get(name) for name in names]

    def close(self) -> None:
        for node in self._map.nodes():
            node.close()

    def primaries(self) -> list[redis.Redis]:
        """A client for each. Raises redis errors where no node answers, and none ever has."""
        return self._map.primaries()

    def execute_together(self, stack: Sequence[Command], *, transaction: bool) -> list[Any]:
        """What a pipeline does: an answer or an error of Redis for each command. Raises where a node is lost."""
        slots = [slot_of(args) for args, _ in stack]
        first = next((slot for slot in slots if slot is not None), None)
        if transaction:
            return self._in_transaction(stack, first)
        groups: dict[str, list[int]] = {}
        for position, slot in enumerate(slots):
            groups.setdefault(self._map.url_of(first if slot is None else slot), []).append(position)
        answers: list[Any] = [None] * len(stack)
        for url, positions in groups.items():
            for position, answer in zip(positions, self._send(url, [stack[each] for each in positions]), strict=True):
                answers[position] = answer
        return [
            self._again(*command) if isinstance(answer, AskError) else answer
            for command, answer in zip(stack, answers, strict=True)
        ]

    def _in_transaction(self, stack: Sequence[Command], slot: int | None) -> list[Any]:
        """A slot on its way to another node takes none: that raises AskError or TryAgainError, and nothing is done."""
        url = self._map.url_of(slot)
        for _ in range(MOST_REDIRECTIONS):
            try:
                return self._send(url, stack, transaction=True)
            except MovedError as moved:
                url = self._map.learn(moved, url)
        raise redis.RedisError("the nodes of the cluster point at each other")

    def _send(self, url: str, commands: Sequence[Command], *, transaction: bool = False) -> list[Any]:
        try:
            with self._map.node_to_ask(url).pipeline(transaction=transaction) as pipeline:
                for args, options in commands:
                    pipeline.execute_command(*args, **options)  # type: ignore[no-untyped-call]
                return list(pipeline.execute(raise_on_error=False))
        except _NODE_LOST as error:
            self._map.suspect(url, error)
            raise

    def _again(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """One that its node has not done; an error as a value."""
        try:
            return self.execute_command(*args, **options)
        except redis.ResponseError as error:
            return error


class _ClusterPipeline(Pipeline):
    def __init__(self, cluster: ClusterRedis, transaction: Any, shard_hint: Any) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, transaction, shard_hint)
        self._cluster = cluster

    def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 - as redis-py's
        """As redis-py's."""
        stack: list[Command] = self.command_stack
        self.command_stack = []
        answers = self._cluster.execute_together(stack, transaction=bool(self.transaction)) if stack else []
        if raise_on_error:
            self.raise_first_error(stack, answers)  # type: ignore[no-untyped-call]
        return answers


class _ClusterScript(Script):
    def __call__(self, keys: Any = None, args: Any = None, client: Any = None) -> Any:
        """As redis-py's; by default for the client that registered it."""
        keys, args = keys or (), args or ()
        own: Any = client or self.registered_client
        try:
            return own.execute_command("EVALSHA", self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return own.execute_command("EVAL", self.script, len(keys), *keys, *args)


def _ask(node: redis.Redis, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A command to a node to which the slot is on its way."""
    with node.pipeline(transaction=False) as pipeline:
        pipeline.execute_command("ASKING")  # type: ignore[no-untyped-call]
        pipeline.execute_command(*args, **options)  # type: ignore[no-untyped-call]
        _, answer = pipeline.execute(raise_on_error=False)
    if isinstance(answer, Exception):
        raise answer
    return answer


def open_redis(url: str, open_node: OpenNode, *, cluster: bool) -> redis.Redis:
    """A client of the one Redis at the URL, or of a whole cluster, whose nodes are opened one by one."""
    return ClusterRedis(url, open_node) if cluster else open_node(url)


def answered_elsewhere(calls: Sequence[Callable[[], T]], avoid: Callable[[int], None]) -> T:
    """The answer of the first one whose node takes it now; `avoid` is told the positions of those before.

    Raises the last one's error where none does within PATIENCE_SECONDS, and at once any after which it is not sure that
    nothing was done.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    for position, call in enumerate(calls[:-1]):
        try:
            return call()
        except redis.RedisError as error:
            if not _took_nothing(error):
                raise
            avoid(position)
            if time.monotonic() > until:
                raise
    return calls[-1]()


def _took_nothing(error: redis.RedisError) -> bool:
    """Whether it is sure that the node has done nothing, and another one may."""
    return (
        isinstance(error, _REFUSED_FOR_A_WHILE)
        or NOTHING_SENT in getattr(error, "__notes__", ())
        or str(error).startswith(_NO_REPLICAS)
    )


def is_cluster(client: redis.Redis) -> bool:
    return isinstance(client, ClusterRedis)


def primaries_of(client: redis.Redis) -> Sequence[redis.Redis]:
    """A client for each primary of a cluster; of one Redis the client itself. Raises redis errors."""
    return client.primaries() if isinstance(client, ClusterRedis) else [client]


def placed_by(client: redis.Redis, name: str) -> str:
    """A part of a key by which a cluster places it: keys that share it are on one node, where a script reaches them."""
    return f"{{{name}}}" if is_cluster(client) else name
