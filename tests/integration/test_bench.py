"""`make bench`: its table, its history, and that its load is made of events that the service takes. Never its speed."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import psutil
import pytest
import redis

from app.core.contract import ANALYTICS_PATH
from app.core.rollups.event_row import EventRow
from app.core.rollups.rollup import Rollup, Sums
from app.core.stream.state import STREAM
from app.local.children import Guard
from app.local.errors import CannotRun
from bench.cpu import CpuLog, cpu_figures
from bench.drain import Drained, drain_figures
from bench.events import write_bodies
from bench.history import Drawn, draw, roll_up_by_hour
from bench.ingest import BARE, ONE_TRIP, OURS, PLAIN, Ingest, ingest_figures
from bench.load_generator import Load, Source, run_load, send_one
from bench.needs import monthly_costs, needs
from bench.report import Figure, Target, cells, markdown_table, results_page, terminal_table
from bench.stand import BATCH_PATH, NO_LIMIT
from tests.api_keys import create_key

FIRST_HOUR = 1_700_000_000 // 3_600 * 3_600


def spent(**us: list[float]) -> CpuLog:
    log = CpuLog({})
    log.spent_us = us
    return log


INGEST = Ingest(
    throughput={
        OURS: [7_900, 8_200],
        BARE: [10_000, 10_000],
        PLAIN: [4_000, 4_500],
        "batches of 100": [80_000, 80_000],
    },
    cpu={
        OURS: spent(web=[200, 220], Redis=[20, 30], PostgreSQL=[0, 0]),
        BARE: spent(web=[200, 200], Redis=[0, 0], PostgreSQL=[0, 0]),
        PLAIN: spent(web=[880, 1_000], Redis=[0, 0], PostgreSQL=[0, 0]),
        "batches of 100": spent(web=[20, 20], Redis=[5, 5], PostgreSQL=[1, 1]),
    },
    half_rate={
        OURS: [Load(15_000, 3_000, 1, 6), Load(15_000, 3_000, 1, 6)],
        BARE: [Load(15_000, 3_000, 1, 4), Load(15_000, 3_000, 1, 2)],
        ONE_TRIP: [Load(15_000, 3_000, 1, 4), Load(15_000, 3_000, 1, 3)],
    },
    entry_bytes=[200, 210],
    mark_bytes=[100, 110],
)
DRAINED = Drained(
    one_worker=[40_000, 40_000],
    two_workers=[80_000, 60_000],
    copied=[400_000, 500_000],
    wal_bytes=[300, 300],
    steady_wal_bytes=[4_000],
    event_bytes=[150, 150],
    cpu=spent(worker=[30, 32], Redis=[4, 4], PostgreSQL=[20, 20]),
)

SourceOf = Callable[[int], Source]


BUSY_FAMILY = """
import subprocess, sys, time
BURN = "import time\\nwhile time.process_time() < 0.2: pass"
input()
subprocess.run([sys.executable, "-c", BURN], check=True)
began = time.process_time()
while time.process_time() - began < 0.2: pass
print("done", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def source(web: str, database_url: str, clean_database: None, clean_redis: None, tmp_path: Path) -> SourceOf:
    """Requests of so many events each for the web process."""

    def source_of(events_per_body: int) -> Source:
        bodies_path = tmp_path / f"bodies-{events_per_body}"
        write_bodies(bodies_path, events_per_body)
        path = ANALYTICS_PATH if events_per_body == 1 else BATCH_PATH
        return Source(web + path, create_key(database_url, rate_limit=NO_LIMIT), bodies_path)

    return source_of


@pytest.mark.parametrize("events_per_body", [1, 100, 1_000])
def test_the_service_takes_the_events_of_the_load(source: SourceOf, redis_url: str, events_per_body: int):
    assert send_one(source(events_per_body)) == 204
    with redis.Redis.from_url(redis_url) as client:
        assert client.xlen(STREAM) == events_per_body


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.parametrize("think_ms", [0.0, 50.0])
def test_the_load_generator_sends_each_event_under_a_key_of_its_own(
    source: SourceOf, guard: Guard, redis_url: str, think_ms: float
):
    load = run_load(guard, source(1), 1, think_ms=think_ms)
    with redis.Redis.from_url(redis_url) as client:
        # A repeated key would be answered as a replay, and not stored again.
        assert client.xlen(STREAM) >= load.requests > 0
    assert 0 < load.p50_ms <= load.p99_ms


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_refused_requests_are_no_measurement(source: SourceOf, guard: Guard):
    unknown = Source(source(1).url, "none", source(1).bodies_path)
    with pytest.raises(CannotRun, match="were refused"):
        run_load(guard, unknown, 1)


def test_the_history_counts_what_counting_event_by_event_does():
    drawn = draw(np.random.default_rng(1), 3_000, FIRST_HOUR)
    counted = count_one_by_one(drawn)
    by_hour = roll_up_by_hour(drawn)
    assert by_hour.keys() == counted.keys()
    for hour, rollup in by_hour.items():
        assert exact_parts(rollup) == exact_parts(counted[hour])
        assert rollup.latency_log_sum == pytest.approx(counted[hour].latency_log_sum)
        assert rollup.latency_log_sum_squares == pytest.approx(counted[hour].latency_log_sum_squares)


def count_one_by_one(drawn: Drawn) -> dict[int, Rollup]:
    by_hour: dict[int, list[EventRow]] = {}
    for hour, tenths, millionths, hundredths in zip(*(column.tolist() for column in drawn), strict=True):
        numbers = (Decimal(tenths) / 10, Decimal(millionths) / 10**6, Decimal(hundredths) / 100)
        by_hour.setdefault(hour, []).append(EventRow(1, 1, 1, date(2026, 1, 1), bytes(16), hour * 1_000, 0, *numbers))
    with localcontext(prec=100):
        return {hour: Rollup.of(events) for hour, events in by_hour.items()}


def exact_parts(rollup: Rollup) -> tuple[int, Sums, Sums, Sums, bytes]:
    return rollup.events, rollup.latency, rollup.cost, rollup.score, rollup.latency_histogram


def test_a_row_shows_medians_ratios_and_whether_the_target_is_met():
    figure = Figure("drain", "rows/s", [3, 9, 6], [6, 12, 4], "COPY", Target("ratio", "at least", 0.8))
    assert cells(figure) == ("drain", "6 rows/s", "6 rows/s (COPY)", "0.75 (0.5 to 1.5)", "at least 0.8 times", "no")


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("value", "at most", 50), True),
        (Target("value", "at most", 49), False),
        (Target("value", "at least", 50), True),
        (Target("ratio", "at most", 2), True),
        (Target("ratio", "at least", 2.1), False),
        (None, None),
    ],
)
def test_a_target_is_met_at_its_limit(target: Target | None, met: bool | None):
    assert Figure("p95", "ms", [50], [25], "bare Flask", target).is_met is met


def test_rounds_that_do_not_pair_up_are_no_comparison():
    with pytest.raises(ValueError, match="shorter"):
        cells(Figure("p95", "ms", [1, 2], [1], "bare Flask"))


def test_a_target_of_a_ratio_needs_a_reference():
    with pytest.raises(ValueError, match="reference"):
        cells(Figure("p95", "ms", [1], target=Target("ratio", "at most", 2)))


def test_both_tables_have_a_row_for_each_figure():
    figures = [*ingest_figures(INGEST), *drain_figures(DRAINED, INGEST.ours_per_second)]
    assert len(terminal_table(figures).splitlines()) == 1 + len(figures)
    assert len(markdown_table(figures).splitlines()) == 2 + len(figures)
    met = {(name, reference.partition("(")[2]): met for name, _, reference, _, _, met in map(cells, figures)}
    assert met["single events", "bare Flask)"] == "yes"
    assert met["single events", "plain way)"] == "no"
    assert met["p99 at half that rate", "Flask, one trip to Redis)"] == "yes"
    assert met["p99 at half that rate", "bare Flask)"] == ""
    assert met["batches of 100", "ours, single)"] == "yes"
    assert met["drain, two workers", "one worker)"] == "yes"


def test_cpu_time_is_told_of_all_kinds_together_and_of_each_that_spends_any():
    rows = {cells(figure)[0]: cells(figure)[1:4] for figure in cpu_figures("it", INGEST.cpu[OURS], {})}
    assert rows == {
        "CPU, it": ("235 µs", "", ""),
        "— of that web": ("210 µs", "", ""),
        "— of that Redis": ("25 µs", "", ""),
    }
    first, second, *_ = cpu_figures("it", INGEST.cpu[OURS], {BARE: INGEST.cpu[BARE], PLAIN: INGEST.cpu[PLAIN]})
    assert [cells(figure)[3] for figure in (first, second)] == ["1.18 (1.1 to 1.25)", "0.25 (0.25 to 0.25)"]


def test_cpu_time_is_counted_for_each_event_with_that_of_children_that_have_ended():
    with subprocess.Popen([sys.executable, "-c", BUSY_FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        log = CpuLog({"busy": psutil.Process(parent.pid)})
        assert parent.stdout
        assert parent.stdin
        log.begin()
        parent.stdin.write(b"begin\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == b"done\n"
        log.end(10)
        parent.stdin.close()
    # a parent and its child, of 0.2 s each, over 10 events; clocks tick every 0.01 s
    (spent_us,) = log.spent_us["busy"]
    assert 38_000 <= spent_us < 400_000


def test_the_needs_of_a_billion_events_follow_from_the_figures():
    line = needs(INGEST, DRAINED)
    assert "386 a second, 1,929 in the busiest" in line
    assert "1 web process at half load and 1 worker" in line
    assert "Redis 0.2 GB for Idempotency-Keys and 0.2 GB" in line
    assert "PostgreSQL 150 GB for each month" in line
    assert "4,000 GB of write-ahead log" in line


def test_a_month_costs_what_an_event_of_the_trickle_does():
    trickle = spent(web=[180], worker=[36], Redis=[18], PostgreSQL=[72])
    table = monthly_costs(DRAINED, trickle, {"web": 80.4, "worker": 69.6}).splitlines()
    assert [line.split(" | ")[:2] for line in table[2:]] == [
        ["| write-ahead log, GB", "4,000"],
        ["| disk for raw events, GB", "150"],
        ["| CPU of web, hours", "50"],
        ["| CPU of Redis, hours", "5"],
        ["| CPU of worker, hours", "10"],
        ["| CPU of PostgreSQL, hours", "20"],
        ["| memory of a web process, MB", "80"],
        ["| memory of a worker process, MB", "70"],
    ]


@pytest.mark.parametrize("is_standard", [True, False])
def test_a_short_run_says_that_it_proves_nothing(is_standard: bool):
    page = results_page(ingest_figures(INGEST), facts=["2 cores"], notes="- a", needs="b", is_standard=is_standard)
    assert ("A short run" in page) is not is_standard
