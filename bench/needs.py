"""What a billion events a month need, from what was measured."""

import math
import statistics
from collections.abc import Mapping

from bench.cpu import POSTGRESQL, REDIS, WEB, WORKER, CpuLog
from bench.drain import Drained
from bench.ingest import Ingest
from bench.pace import EVENTS_A_MONTH, SECONDS_A_MONTH
from bench.stand import WEB_PROCESSES

PEAK = 5
"""The busiest second has so many times the average."""
IDEMPOTENCY_SECONDS = 900
OUTAGE_SECONDS = 600
"""So long PostgreSQL may be away while Redis takes everything."""
RETENTION_MONTHS = 3
GIGABYTE = 1_000_000_000
HOURS_FOR_EACH_MICROSECOND = EVENTS_A_MONTH / 1_000_000 / 3_600

WRITE_AHEAD_LOG, DISK, MEMORY = "write-ahead log, GB", "disk for raw events, GB", "memory of a {} process, MB"
BEFORE_TEXT = "before, at b93fda2"
BEFORE = {
    WRITE_AHEAD_LOG: 8_567.0,
    DISK: 152.0,
    "CPU of web, hours": 222.0,
    "CPU of Redis, hours": 32.0,
    "CPU of worker, hours": 74.0,
    "CPU of PostgreSQL, hours": 42.0,
    MEMORY.format(WEB): 102.0,
    MEMORY.format(WORKER): 103.0,
}
"""The same, measured on 28 November 2026 on the machine of RESULTS.md at the commit before rollups were folded."""


def needs(ingest: Ingest, drained: Drained) -> str:
    """One line for the terminal and for RESULTS.md."""
    average = EVENTS_A_MONTH / SECONDS_A_MONTH
    peak = average * PEAK
    # Half of what a process can do, which is where the answer times were measured.
    web = math.ceil(peak / (ingest.ours_per_second / WEB_PROCESSES / 2))
    workers = math.ceil(peak / drained.per_second)
    marks = peak * IDEMPOTENCY_SECONDS * statistics.median(ingest.mark_bytes)
    entries = peak * OUTAGE_SECONDS * statistics.median(ingest.entry_bytes)
    disk = EVENTS_A_MONTH * statistics.median(drained.event_bytes)
    log = EVENTS_A_MONTH * statistics.median(drained.steady_wal_bytes)
    processes = "process" if web == 1 else "processes"
    return (
        f"One billion events a month ({average:,.0f} a second, {peak:,.0f} in the busiest) need {web} web {processes}"
        f" at half load and {workers} worker; Redis {marks / GIGABYTE:.1f} GB for Idempotency-Keys and"
        f" {entries / GIGABYTE:.1f} GB, and a BUFFER_MAX_EVENTS of {math.ceil(peak * OUTAGE_SECONDS):,}, to take"
        f" {OUTAGE_SECONDS // 60} minutes without PostgreSQL; PostgreSQL"
        f" {disk / GIGABYTE:,.0f} GB for each month that events are kept ({RETENTION_MONTHS * disk / GIGABYTE:,.0f} GB"
        f" at 90 days) and {log / GIGABYTE:,.0f} GB of write-ahead log a month."
        " Rollups grow with versions and time, not with events."
    )


def monthly_costs(drained: Drained, trickle: CpuLog, memory_mb: Mapping[str, float]) -> str:
    """What a billion events a month, evenly, cost, beside what they did before: a table in Markdown.

    `trickle`: the CPU time of an event, `memory_mb`: of the largest process, both by kind.
    """
    spent_us = {kind: statistics.median(spent) for kind, spent in trickle.spent_us.items()}
    now = {
        WRITE_AHEAD_LOG: EVENTS_A_MONTH * statistics.median(drained.steady_wal_bytes) / GIGABYTE,
        DISK: EVENTS_A_MONTH * statistics.median(drained.event_bytes) / GIGABYTE,
        **{
            f"CPU of {kind}, hours": spent_us[kind] * HOURS_FOR_EACH_MICROSECOND
            for kind in (WEB, REDIS, WORKER, POSTGRESQL)
        },
        **{MEMORY.format(kind): megabytes for kind, megabytes in memory_mb.items()},
    }
    rows = [f"| {name} | {value:,.0f} | {BEFORE[name]:,.0f} |" for name, value in now.items()]
    head = [f"| a billion events a month, evenly | now | {BEFORE_TEXT} |", "| --- | --- | --- |"]
    return "\n".join([*head, *rows])
