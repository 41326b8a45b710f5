"""CPU time of processes for each event: what throughput tells on a machine of one's own, this tells on a busy one."""

import statistics
from collections.abc import Mapping
from contextlib import suppress

import psutil
import psycopg

from bench.report import Figure
from bench.stand import Process, Stand

MICROSECONDS = 1_000_000
WEB, WORKER, REDIS, POSTGRESQL = "web", "worker", "Redis", "PostgreSQL"

SELECT_OWN_PROCESS = "SELECT pg_backend_pid()"


class CpuLog:
    """What processes spend on events, in microseconds for each, by kind and run by run."""

    def __init__(self, leaders: Mapping[str, psutil.Process]) -> None:
        """`leaders` by kind; what they started and start counts as theirs."""
        self._leaders = leaders
        self._began: dict[str, float] = {}
        self.spent_us: dict[str, list[float]] = {kind: [] for kind in leaders}

    def begin(self) -> None:
        """From now on it counts."""
        self._began = {kind: cpu_seconds(leader) for kind, leader in self._leaders.items()}

    def end(self, events: int) -> None:
        """So many events came in, or went out, since `begin`."""
        for kind, leader in self._leaders.items():
            spent = cpu_seconds(leader) - self._began[kind]
            self.spent_us[kind].append(spent * MICROSECONDS / events)

    @property
    def all_us(self) -> list[float]:
        """Of all kinds together, run by run."""
        return [sum(run) for run in zip(*self.spent_us.values(), strict=True)]


def cpu_seconds(leader: psutil.Process) -> float:
    """User and system time of a process and of all below it, those included that have ended; in steps of 10 ms."""
    seconds = 0.0
    for process in [leader, *leader.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            # what a child that ended has used is known to its parent
            seconds += sum(process.cpu_times()[:4])
    return seconds


def web_log(stand: Stand, web: Process) -> CpuLog:
    """Of the way in, to a server that keeps events in Redis."""
    return CpuLog({WEB: leader_of(web), REDIS: redis_leader(stand), POSTGRESQL: postgres_leader(stand)})


def drain_log(stand: Stand, worker: Process) -> CpuLog:
    """Of the way out."""
    return CpuLog({WORKER: leader_of(worker), REDIS: redis_leader(stand), POSTGRESQL: postgres_leader(stand)})


def steady_log(stand: Stand, web: Process, worker: Process) -> CpuLog:
    """Of the whole way."""
    servers = {REDIS: redis_leader(stand), POSTGRESQL: postgres_leader(stand)}
    return CpuLog({WEB: leader_of(web), WORKER: leader_of(worker), **servers})


def leader_of(process: Process) -> psutil.Process:
    return psutil.Process(process.child.pid)


def redis_leader(stand: Stand) -> psutil.Process:
    return psutil.Process(stand.redis.info("server")["process_id"])


def postgres_leader(stand: Stand) -> psutil.Process:
    """The one that starts all others."""
    with psycopg.connect(stand.postgres.url) as connection:
        row = connection.execute(SELECT_OWN_PROCESS).fetchone()
        assert row is not None
        leader = psutil.Process(row[0]).parent()
    assert leader is not None
    return leader


def cpu_figures(name: str, ours: CpuLog, beside: Mapping[str, CpuLog]) -> list[Figure]:
    """Rows of the table: all kinds together beside each reference, then each kind of ours that spends anything."""
    figures = [Figure(f"CPU, {name}", "µs", ours.all_us)]
    if beside:
        figures = [
            Figure(f"CPU, {name}", "µs", ours.all_us, log.all_us, reference) for reference, log in beside.items()
        ]
    return figures + [
        Figure(f"— of that {kind}", "µs", spent) for kind, spent in ours.spent_us.items() if statistics.median(spent)
    ]
