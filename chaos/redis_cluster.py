"""A real Redis Cluster on this machine: three primaries, a replica of each, and what operators do to it."""

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from app.local.binaries import RedisBinary, find_redis
from app.local.children import Guard
from app.local.ports import free_port
from app.local.redis_server import RunningRedis

SLOTS = 16_384
PRIMARIES = 3
NODE_TIMEOUT_MS = 2_000
OWN_BUS_PORT_SINCE = (7,)
READY_SECONDS = 60.0


class ClusterNode(RunningRedis):
    """One Redis of the cluster; all have one password."""

    name = "Redis Cluster"

    def __init__(self, data_dir: Path, guard: Guard, binary: RedisBinary, password: str) -> None:
        self._common_password = password
        # by default 10,000 above the other, where it may be taken; Redis 6.2 knows no other
        self._bus = {"cluster-port": str(free_port())} if binary.version >= OWN_BUS_PORT_SINCE else {}
        super().__init__(data_dir, guard, binary)

    def _command(self) -> list[str]:
        self.password = self._common_password
        settings = {
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": str(NODE_TIMEOUT_MS),
            "masterauth": self.password,
            "repl-diskless-sync-delay": "0",
            # a node that is away takes only its own slots along
            "cluster-require-full-coverage": "no",
            **self._bus,
        }
        return [*super()._command(), *(word for name, value in settings.items() for word in (f"--{name}", value))]

    @property
    def bus_port(self) -> int:
        """Where the nodes talk to each other."""
        return int(self._bus.get("cluster-port", self.port + 10_000))

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=10)

    def ask(self, *command: object) -> Any:
        with self.client() as client:
            return client.execute_command(*command)


class RunningCluster:
    """The first three nodes begin as primaries, and each of the next three as a replica of one of them."""

    def __init__(self, folder: Path, guard: Guard) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        binary, password = find_redis(), secrets.token_urlsafe(24)
        self.nodes = []
        for number in range(2 * PRIMARIES):
            (folder / f"node-{number}").mkdir(mode=0o700)
            self.nodes.append(ClusterNode((folder / f"node-{number}").resolve(), guard, binary, password))
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        self.url = f"redis://:{password}@{hosts}/0"
        self._join()

    def _join(self) -> None:
        share = -(-SLOTS // PRIMARIES)
        for number, node in enumerate(self.nodes[:PRIMARIES]):
            node.ask("CLUSTER ADDSLOTS", *range(number * share, min(SLOTS, (number + 1) * share)))
        for number, node in enumerate(self.nodes):
            node.ask("CLUSTER SET-CONFIG-EPOCH", number + 1)
            node.ask("CLUSTER MEET", "127.0.0.1", self.nodes[0].port, self.nodes[0].bus_port)
        self._wait(lambda: all(_knows(node) == len(self.nodes) for node in self.nodes))
        for node, replica in zip(self.nodes, self.nodes[PRIMARIES:], strict=False):
            replica.ask("CLUSTER REPLICATE", self.id_of(node))
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Every slot has a primary, each node knows it, and each primary has a replica that has caught up."""
        self._wait(self._is_ready)

    def _is_ready(self) -> bool:
        return all(node.exit_code() is None and _is_whole(node) for node in self.nodes)

    def _wait(self, condition: Any) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._holds(condition):
            if time.monotonic() > deadline:
                raise AssertionError("the cluster did not become ready")
            time.sleep(0.05)

    @staticmethod
    def _holds(condition: Any) -> bool:
        try:
            return bool(condition())
        except redis.RedisError:
            return False

    def id_of(self, node: ClusterNode) -> str:
        answer = node.ask("CLUSTER MYID")
        return answer.decode() if isinstance(answer, bytes) else str(answer)

    def primary_of(self, key: str) -> ClusterNode:
        """The node that has a key now, by what the nodes that run say."""
        slot = key_slot(key.encode())
        for node in self.nodes:
            if node.exit_code() is None:
                for first, last, (_, port, *_), *_ in node.ask("CLUSTER SLOTS"):
                    if first <= slot <= last:
                        return next(each for each in self.nodes if each.port == port)
        raise AssertionError(f"nobody has slot {slot}")

    def primaries(self) -> Sequence[ClusterNode]:
        running = [node for node in self.nodes if node.exit_code() is None]
        return [node for node in running if node.ask("ROLE")[0] == b"master"]

    @contextmanager
    def cut_off_replicas(self, primary: ClusterNode) -> Iterator[None]:
        """What the primary takes inside the block its replicas do not hear of."""
        roles = [(node, node.ask("ROLE")) for node in self.nodes]
        replicas = [node for node, role in roles if role[0] == b"slave" and role[2] == primary.port]
        for replica in replicas:
            replica.ask("CONFIG", "SET", "masterauth", "wrong")
        primary.ask("CLIENT", "KILL", "TYPE", "replica")
        try:
            yield
        finally:
            for replica in replicas:
                replica.ask("CONFIG", "SET", "masterauth", replica.password)

    def listed_primaries(self) -> list[ClusterNode]:
        """Those that have slots by what a majority of the nodes that run says, whether they run or not."""
        told: Counter[int] = Counter()
        asked = [node for node in self.nodes if node.exit_code() is None]
        for node in asked:
            told.update({port for _, _, (_, port, *_), *_ in node.ask("CLUSTER SLOTS")})
        return [node for node in self.nodes if told[node.port] > len(asked) / 2]

    def move_slot(self, key: str, target: ClusterNode, *, pause_seconds: float = 0.0) -> None:
        """What `redis-cli --cluster reshard` does with one slot: its keys one after the other, under load."""
        source, slot = self.primary_of(key), key_slot(key.encode())
        target.ask("CLUSTER SETSLOT", slot, "IMPORTING", self.id_of(source))
        source.ask("CLUSTER SETSLOT", slot, "MIGRATING", self.id_of(target))
        while keys := source.ask("CLUSTER GETKEYSINSLOT", slot, 100):
            for each in keys:
                source.ask("MIGRATE", "127.0.0.1", target.port, each, 0, 10_000, "AUTH", source.password)
            time.sleep(pause_seconds)
        for node in (target, source, *self.primaries()):
            node.ask("CLUSTER SETSLOT", slot, "NODE", self.id_of(target))

    def empty(self) -> None:
        for node in self.primaries():
            node.ask("FLUSHALL")


def _knows(node: ClusterNode) -> int:
    """How many nodes are at work, itself among them, by what it has heard."""
    return sum("handshake" not in each["flags"] for each in node.ask("CLUSTER NODES").values())


def _is_whole(node: ClusterNode) -> bool:
    """Whether it finds a primary for every slot, and is one with a replica that has caught up, or such a replica."""
    if node.ask("CLUSTER INFO")["cluster_state"] != "ok":
        return False
    role, *rest = node.ask("ROLE")
    if role == b"master":
        return bool(rest[1])
    return bool(rest[2] == b"connected")
