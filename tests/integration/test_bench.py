"""`make bench`: its table, its history, and that its load is made of events that the service takes. Never its speed."""

import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest
import redis

from app.core.contract import ANALYTICS_PATH
from app.core.rollups.event_row import EventRow
from app.core.rollups.rollup import Rollup, Sums
from app.core.stream.state import STREAM
from app.local.children import Guard
from app.local.errors import CannotRun
from bench.drain import Drained, drain_figures
from bench.events import write_bodies
from bench.history import Drawn, draw, roll_up_by_hour
from bench.ingest import BARE, OURS, PLAIN, Ingest, ingest_figures
from bench.load_generator import Load, Source, run_load, send_one
from bench.needs import needs
from bench.report import Figure, Target, cells, markdown_table, results_page, terminal_table
from bench.stand import BATCH_PATH, NO_LIMIT
from tests.api_keys import create_key

FIRST_HOUR = 1_700_000_000 // 3_600 * 3_600

INGEST = Ingest(
    throughput={
        OURS: [6_000, 6_200],
        BARE: [10_000, 10_000],
        PLAIN: [3_000, 3_500],
        "batches of 100": [60_000, 60_000],
    },
    half_rate={
        OURS: [Load(15_000, 3_000, 1, 6), Load(15_000, 3_000, 1, 6)],
        BARE: [Load(15_000, 3_000, 1, 4), Load(15_000, 3_000, 1, 2)],
    },
    entry_bytes=[200, 210],
    mark_bytes=[100, 110],
)
DRAINED = Drained(
    one_worker=[40_000, 40_000],
    two_workers=[50_000, 30_000],
    copied=[400_000, 500_000],
    wal_bytes=[300, 300],
    steady_wal_bytes=[4_000],
    event_bytes=[150, 150],
)

SourceOf = Callable[[int], Source]


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
    assert met["p99 at half that rate", "bare Flask)"] == "no"
    assert met["batches of 100", "ours, single)"] == "yes"
    assert met["drain, two workers", "one worker)"] == "yes"


def test_the_needs_of_a_billion_events_follow_from_the_figures():
    line = needs(INGEST, DRAINED)
    assert "386 a second, 1,929 in the busiest" in line
    assert "2 web processes at half load and 1 worker" in line
    assert "Redis 0.2 GB for Idempotency-Keys and 0.2 GB" in line
    assert "PostgreSQL 150 GB for each month" in line
    assert "4,000 GB of write-ahead log" in line


@pytest.mark.parametrize("is_standard", [True, False])
def test_a_short_run_says_that_it_proves_nothing(is_standard: bool):
    page = results_page(ingest_figures(INGEST), facts=["2 cores"], notes="- a", needs="b", is_standard=is_standard)
    assert ("A short run" in page) is not is_standard
