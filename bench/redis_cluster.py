"""One Redis against a cluster of three: `python -m bench.redis_cluster`.

Batches go straight into the buffer, with a rate limit each, so that web is not the limit. Where all nodes share the
cores of one machine no more events go in, however many nodes there are: what a node can take follows from its CPU time
for an event, which is told beside it.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple
from uuid import UUID

import psutil

from app.core.fixed_window import FixedWindow
from app.core.redis_client import connect
from app.core.redis_cluster import open_redis
from app.core.stream.buffer import EventBuffer, packed
from app.core.stream.events import Event, new_event_id
from app.local.children import Guard
from app.local.own_folder import own_folder
from app.local.redis_server import RunningRedis, start_redis
from chaos.redis_cluster import PRIMARIES, RunningCluster

FEEDERS = 2
BATCH_EVENTS = 1_000
SECONDS = 3.0
ROUNDS = 3
NO_LIMIT = 2_000_000_000


class Target(NamedTuple):
    """Where events go; `nodes` take them, `replicas` copy them."""

    name: str
    url: str
    streams: int
    nodes: Sequence[RunningRedis]
    replicas: Sequence[RunningRedis]


class Fed(NamedTuple):
    """CPU time in microseconds for an event: of all nodes together, of replicas, and of who sends."""

    events_per_second: float
    node_us: float
    replica_us: float
    feeder_us: float


def main() -> int:
    rounds = {"one Redis": list[Fed](), "a cluster of three": list[Fed]()}
    with own_folder("bench-cluster") as folder, Guard() as guard:
        single = start_redis(folder / "redis", guard)
        cluster = RunningCluster(folder / "cluster", guard)
        for _ in range(ROUNDS):
            for target in (
                Target("one Redis", single.url, 1, [single], []),
                Target(
                    "a cluster of three",
                    cluster.url,
                    PRIMARIES,
                    cluster.nodes[:PRIMARIES],
                    cluster.nodes[PRIMARIES:],
                ),
            ):
                rounds[target.name].append(feed(target, SECONDS))
    print(f"{'':20}{'events/s':>12}{'µs of nodes':>14}{'of replicas':>14}{'of senders':>14}   for an event")
    for name, fed in rounds.items():
        medians = [statistics.median(each) for each in zip(*fed, strict=True)]
        print(f"{name:20}{medians[0]:>12,.0f}" + "".join(f"{median:>14.2f}" for median in medians[1:]))
    return 0


def feed(target: Target, seconds: float) -> Fed:
    """Into an empty buffer, from several processes at the same time."""
    for node in target.nodes:
        with connect(node.url, timeout_seconds=60) as client:
            client.flushall()
    before = _cpu_seconds(target.nodes), _cpu_seconds(target.replicas)
    with get_context("spawn").Pool(FEEDERS) as pool:
        told = pool.starmap(feed_alone, [(target.url, target.streams, seconds)] * FEEDERS)
    events = sum(each for each, _ in told)
    return Fed(
        events / seconds,
        (_cpu_seconds(target.nodes) - before[0]) / events * 1e6,
        (_cpu_seconds(target.replicas) - before[1]) / events * 1e6,
        sum(cpu for _, cpu in told) / events * 1e6,
    )


def feed_alone(url: str, streams: int, seconds: float) -> tuple[int, float]:
    """How many events one process has sent, and its CPU seconds meanwhile."""
    client = open_redis(url, partial(connect, timeout_seconds=30), cluster=streams > 1)
    buffer = EventBuffer(client, streams=streams, max_events=NO_LIMIT)
    events = [Event(new_event_id(), 1, UUID(int=number % 7), "v1") for number in range(BATCH_EVENTS)]
    batch = packed(events, window=FixedWindow("pa:limit:bench", NO_LIMIT, 60_000))
    buffer.append_packed(batch)
    sent, cpu_began, until = 0, time.process_time(), time.monotonic() + seconds
    while time.monotonic() < until:
        buffer.append_packed(batch)
        sent += BATCH_EVENTS
    return sent, time.process_time() - cpu_began


def _cpu_seconds(servers: Sequence[RunningRedis]) -> float:
    times = [psutil.Process(server.pid).cpu_times() for server in servers]
    return float(sum(each.user + each.system for each in times))


if __name__ == "__main__":
    sys.exit(main())
