"""The way in: events a second, one by one and in batches, and the time of an answer at half that rate."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from app.core.contract import ANALYTICS_PATH
from app.core.stream.state import STREAM
from bench.cpu import CpuLog, cpu_figures, web_log
from bench.events import write_bodies
from bench.load_generator import Load, Source, send_one
from bench.memory import MemoryLog
from bench.report import Figure, Target
from bench.rounds import Contender, events_per_second, loads_at_rate
from bench.schedule import Schedule
from bench.stand import BATCH_PATH, Process, Stand

BATCH_SIZES = (100, 1_000)
OURS, BARE, PLAIN = "ours", "bare Flask", "plain way"
ONE_TRIP = "Flask, one trip to Redis"


@dataclass(frozen=True)
class Servers:
    """Ours, and those beside it."""

    web: Process
    bare: Process
    plain: Process
    one_trip: Process


@dataclass(frozen=True)
class Ingest:
    """All by contender, round by round. `entry_bytes` and `mark_bytes`: Redis memory for each event and its key."""

    throughput: Mapping[str, Sequence[float]]
    cpu: Mapping[str, CpuLog]
    half_rate: Mapping[str, Sequence[Load]]
    entry_bytes: Sequence[float]
    mark_bytes: Sequence[float]

    @property
    def ours_per_second(self) -> float:
        """The median of single events."""
        return statistics.median(self.throughput[OURS])


def single_source(stand: Stand, url: str, api_key: str) -> Source:
    """Single events for a server that takes them at our path."""
    return Source(url + ANALYTICS_PATH, api_key, _bodies(stand.folder, 1))


def measure_ingest(stand: Stand, schedule: Schedule, servers: Servers, *, api_key: str, memory: MemoryLog) -> Ingest:
    """Ours, bare Flask and the plain way in turn, then ours, bare Flask and one trip to Redis at half of our rate."""

    def single(name: str, server: Process) -> Contender:
        return Contender(name, single_source(stand, server.url, api_key), cpu=web_log(stand, server))

    ours, beside = single(OURS, servers.web), single(BARE, servers.bare)
    contenders = [beside, ours, single(PLAIN, servers.plain), *_batches(stand, servers.web, api_key)]
    stand.empty_redis()
    empty_bytes = stand.redis.info("memory")["used_memory"]
    entry_bytes: list[float] = []
    mark_bytes: list[float] = []

    def after(contender: Contender) -> None:
        if contender is not ours:
            return
        memory.look()
        events = stand.redis.xlen(STREAM)
        in_stream = stand.redis.memory_usage(STREAM, samples=0) or 0
        entry_bytes.append(in_stream / events)
        mark_bytes.append((stand.redis.info("memory")["used_memory"] - empty_bytes - in_stream) / events)

    throughput = events_per_second(stand, contenders, seconds=schedule.seconds, rounds=schedule.rounds, after=after)
    rate = statistics.median(throughput[OURS]) / 2
    paced = [ours, beside, single(ONE_TRIP, servers.one_trip)]
    half_rate = loads_at_rate(stand, paced, rate, seconds=schedule.seconds, rounds=schedule.rounds)
    memory.look()
    stand.empty_redis()
    cpu = {each.name: each.cpu for each in contenders if each.cpu}
    return Ingest(throughput, cpu, half_rate, entry_bytes, mark_bytes)


def ingest_figures(ingest: Ingest) -> list[Figure]:
    """Rows of the table."""
    single = ingest.throughput[OURS]
    figures = [
        Figure("single events", "/s", single, ingest.throughput[BARE], BARE, Target("ratio", "at least", 0.8)),
        Figure("single events", "/s", single, ingest.throughput[PLAIN], PLAIN, Target("ratio", "at least", 2)),
        *cpu_figures("a single event", ingest.cpu[OURS], {name: ingest.cpu[name] for name in (BARE, PLAIN)}),
        _answer_time(ingest.half_rate, "p99_ms", ONE_TRIP, Target("ratio", "at most", 2)),
        _answer_time(ingest.half_rate, "p99_ms", BARE),
        _answer_time(ingest.half_rate, "p50_ms", ONE_TRIP),
        _answer_time(ingest.half_rate, "p50_ms", BARE),
    ]
    for size in BATCH_SIZES:
        if (name := _batch_name(size)) in ingest.throughput:
            batched = ingest.throughput[name]
            figures += [
                Figure(name, "/s", batched, single, "ours, single", Target("ratio", "at least", 8)),
                Figure(name, "/s", batched, ingest.throughput[BARE], BARE),
                *cpu_figures(f"an event in {name}", ingest.cpu[name], {}),
            ]
    return figures


def _answer_time(
    loads: Mapping[str, Sequence[Load]], field: str, reference: str, target: Target | None = None
) -> Figure:
    name = {"p99_ms": "p99 at half that rate", "p50_ms": "median at half that rate"}[field]
    ours, beside = ([getattr(load, field) for load in loads[contender]] for contender in (OURS, reference))
    return Figure(name, "ms", ours, beside, reference, target)


def _batches(stand: Stand, web: Process, api_key: str) -> list[Contender]:
    contenders = []
    for size in BATCH_SIZES:
        source = Source(web.url + BATCH_PATH, api_key, _bodies(stand.folder, size))
        contenders.append(Contender(_batch_name(size), source, size, web_log(stand, web)))
    missing = send_one(contenders[0].source) in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
    if missing:
        print("Batches are left out: this version has no endpoint for them")
    return [] if missing else contenders


def _batch_name(size: int) -> str:
    return f"batches of {size:,}"


def _bodies(folder: Path, events_per_body: int) -> Path:
    path = folder / f"bodies-{events_per_body}"
    if not path.exists():
        write_bodies(path, events_per_body)
    return path
