"""The cluster run: primaries of a Redis Cluster are killed, slots move and the number of streams changes under load."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from app.core.stream.streams import key_of
from app.local.errors import CannotRun
from chaos.detector import Detector, ask_detector, loss_is_told
from chaos.load import NEVER_SENT_AGAIN
from chaos.redis_cluster import ClusterNode, RunningCluster
from chaos.servers import open_servers
from chaos.service import Service, open_service
from chaos.verdict import Verdict, verdict_on

STREAMS = (3, 1, 4, 2)
"""BUFFER_STREAMS one after the other: fewer, more, and more than there are primaries."""
SETTLE_SECONDS = 180.0
FAILOVER_SECONDS = 60.0


@dataclass(frozen=True)
class ClusterExtent:
    """How far it goes: so many acknowledged events, and each deed so often. `events_between`: after each deed.

    `events_unheard`: so many are acknowledged by all nodes while a replica does not hear of its primary's.
    """

    events: int
    rounds: int
    events_between: int
    batch_events_per_second: int
    single_pause_seconds: float = 0.0
    events_unheard: int = 100


SHORT_CLUSTER = ClusterExtent(1_000, 1, 100, 300, 0.02)
LONG_CLUSTER = ClusterExtent(200_000, 8, 4_000, 3_000, events_unheard=2_000)


@dataclass(frozen=True)
class ClusterRun:
    """What became of it. `longest_silence_seconds`: between two acknowledged events, while a primary was away."""

    extent: ClusterExtent
    deeds: Counter[str]
    seconds: float
    longest_silence_seconds: float
    verdict: Verdict
    detector: Detector

    @property
    def held(self) -> bool:
        """Nothing is wrong but what Redis itself has lost, and that is known to its number."""
        return self.verdict.figures["acked"] >= self.extent.events and loss_is_told(self.verdict, self.detector)


@dataclass
class _Operator:
    """Does to the cluster and to the service what operators and faults do."""

    service: Service
    cluster: RunningCluster
    random: Random
    events_unheard: int
    deeds: Counter[str] = field(default_factory=Counter)
    silence_seconds: float = 0.0

    def kill_a_primary(self) -> None:
        """Its replica takes over; it comes back as a replica of that one."""
        self._fail_over(self.cluster.primary_of(self._a_stream()))
        self.cluster.wait_until_ready()
        self.deeds["primaries killed"] += 1

    def kill_a_primary_before_its_replica_has_heard(self) -> None:
        """What was acknowledged meanwhile and is not stored is lost, as it is whenever a replica lags behind."""
        victim = self.cluster.primary_of(self._a_stream())
        with self.cluster.cut_off_replicas(victim):
            self.service.wait_for(self.events_unheard)
            self._fail_over(victim)
        self.cluster.wait_until_ready()
        self.deeds["primaries killed whose replica lagged behind"] += 1

    def _fail_over(self, victim: ClusterNode) -> None:
        victim.kill()
        deadline = time.monotonic() + FAILOVER_SECONDS
        while victim in self.cluster.listed_primaries():
            if time.monotonic() > deadline:
                raise CannotRun("no replica took over")
            began_at = time.monotonic()
            self.service.wait_for(1, FAILOVER_SECONDS)
            self.silence_seconds = max(self.silence_seconds, time.monotonic() - began_at)
        victim.restart()

    def move_a_slot(self) -> None:
        """The one of a stream that is at work."""
        stream = self._a_stream()
        source = self.cluster.primary_of(stream)
        others = [node for node in self.cluster.primaries() if node is not source]
        self.cluster.move_slot(stream, self.random.choice(others), pause_seconds=0.05)
        self.deeds["slots moved"] += 1

    def change_the_number_of_streams(self) -> None:
        """Web and workers are restarted one after the other, as in a deploy: for a while they do not agree."""
        streams = STREAMS[(self.deeds["changes of BUFFER_STREAMS"] + 1) % len(STREAMS)]
        for name in ("worker-1", "web", "worker-2"):
            restarts = self.service.platform.restarts[name]
            self.service.processes[name].set_variable("BUFFER_STREAMS", str(streams))
            self.service.processes[name].ask_to_stop()
            self.service.wait_until_restarted(name, restarts)
        self.service.wait_until_up()
        self.deeds["changes of BUFFER_STREAMS"] += 1

    def _a_stream(self) -> str:
        with self.service.redis_client() as client:
            names = [key_of(client, stream) for stream in range(STREAMS[0])]
            return self.random.choice([name for name in names if client.exists(name)])


def run_cluster(folder: Path, *, seed: int, extent: ClusterExtent) -> ClusterRun:
    """On servers and processes of its own."""
    began_at = time.monotonic()
    with (
        open_servers(folder, with_cluster=True) as servers,
        open_service(servers, "cluster", buffer_streams=str(STREAMS[0])) as service,
    ):
        assert servers.cluster is not None
        operator = _Operator(service, servers.cluster, Random(seed), extent.events_unheard)
        deeds: list[Callable[[], None]] = [
            operator.move_a_slot,
            operator.kill_a_primary,
            operator.kill_a_primary_before_its_replica_has_heard,
            operator.change_the_number_of_streams,
        ]
        service.wait_until_up()
        with service.load(
            seed,
            batch_events_per_second=extent.batch_events_per_second,
            single_pause_seconds=extent.single_pause_seconds,
            repeated_share=NEVER_SENT_AGAIN,
        ):
            for _ in range(extent.rounds):
                for deed in deeds:
                    service.wait_for(extent.events_between)
                    deed()
            service.wait_for(max(extent.events_between, extent.events - service.progress.events()), 3_600)
        service.wait_until_empty(SETTLE_SECONDS)
        verdict = verdict_on(service)
        return ClusterRun(
            extent=extent,
            deeds=operator.deeds,
            seconds=time.monotonic() - began_at,
            longest_silence_seconds=operator.silence_seconds,
            verdict=verdict,
            detector=ask_detector(service, verdict.figures["lost"]),
        )
