"""What the views of the schema analytics say is what the read API says, folded or not."""

import random
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from psycopg.rows import dict_row

from app.core.analytics.percentiles import percentiles_of
from app.core.analytics.usage import NOTHING, Usage, prompt_usage
from app.core.database import Connection
from app.core.rollups.latency_histogram import MAX_COUNT, ZERO_BUCKET, encode_histogram
from app.core.rollups.time_range import TimeRange
from app.core.stream.events import Event, new_event_id
from tests.drains import PROMPTS, open_connection
from tests.folds import fold_all
from tests.usage_recount import new_project, store_in_batches
from worker.store import ReceivedEvent

FIRST = datetime(2026, 11, 9, tzinfo=UTC)
HOURS = [FIRST + timedelta(hours=hour) for hour in (0, 1, 23, 24, 50, 95)]
WHOLE = TimeRange(FIRST, FIRST + timedelta(days=4), "hour")
SELECT_DAILY = "SELECT * FROM analytics.prompts_daily WHERE project = %(project)s AND prompt_id = %(prompt)s"
SELECT_HOURLY = "SELECT * FROM analytics.versions_hourly WHERE project = %(project)s AND prompt_id = %(prompt)s"
SELECT_RAW = "SELECT * FROM analytics.raw_events WHERE project = %(project)s AND prompt_id = %(prompt)s"

Rows = list[dict[str, Any]]


def an_event(project_id: int, chance: random.Random) -> ReceivedEvent:
    """Some carry nothing, some are zero, some are far from all others, and many are in one bucket of a histogram."""
    latency = chance.choice([None, "0", "0.0000000001", "250", "250", f"{chance.lognormvariate(6, 2):.4f}", "1E+12"])
    event = Event(
        new_event_id(),
        project_id,
        chance.choice(PROMPTS[:2]),
        chance.choice(["v1", "v2"]),
        None if latency is None else Decimal(latency),
        Decimal(f"{chance.random():.12f}") if chance.random() < 0.7 else None,
        Decimal(f"{chance.uniform(-1, 1):.6f}") if chance.random() < 0.5 else None,
    )
    at = chance.choice(HOURS) + timedelta(seconds=chance.uniform(0, 3_599))
    return ReceivedEvent(event, int(at.timestamp() * 1_000))


@pytest.fixture
def database(database_url: str, clean_database: None) -> Iterator[Connection]:
    with open_connection(database_url) as connection:
        yield connection


@pytest.fixture(params=["nothing", "half", "all"])
def project_id(database: Connection, request: pytest.FixtureRequest) -> int:
    """A project of whose events so many are folded."""
    project_id, chance = new_project(database), random.Random(13)
    events = [an_event(project_id, chance) for _ in range(800)]
    store_in_batches(database, events[:400], batch_size=100)
    if request.param != "nothing":
        fold_all(database)
    store_in_batches(database, events[400:], batch_size=100)
    if request.param == "all":
        fold_all(database)
    return project_id


def rows(database: Connection, query: str, project_id: int, prompt: UUID) -> Rows:
    found = database.execute("SELECT name FROM projects WHERE id = %s", [project_id]).fetchone()
    assert found is not None
    with database.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), {"project": found[0], "prompt": prompt}).fetchall()


def in_columns(usage: Usage) -> dict[str, object]:
    """What the read API tells, as the columns of the views are called; means to the precision of a float."""
    parts = {"cost_usd": asdict(usage.cost_usd), "latency_ms": asdict(usage.latency_ms), "score": asdict(usage.score)}
    columns = {f"{part}_{name}": value for part, values in parts.items() for name, value in values.items()}
    means = {
        name: pytest.approx(value, rel=1e-15) for name, value in columns.items() if name.endswith("_mean") and value
    }
    return {"events": usage.events, **columns, **means}


def of_each(found: Rows, *keys: str) -> dict[tuple[object, ...], dict[str, object]]:
    return {tuple(row[key] for key in keys): {name: row[name] for name in in_columns(NOTHING)} for row in found}


def test_days_of_prompts_are_those_of_the_read_api(database: Connection, project_id: int) -> None:
    for prompt in PROMPTS[:2]:
        report = prompt_usage(database, project_id, prompt, WHOLE, "day")
        expected = {(at,): in_columns(usage) for at, usage in report.series if usage.events}
        found = rows(database, SELECT_DAILY, project_id, prompt)
        assert of_each(found, "starts_at") == expected
        assert len(expected) == 4
        assert {row["starts_at"].date() for row in found} == {row["day"] for row in found}


def test_hours_of_versions_are_those_of_the_read_api(database: Connection, project_id: int) -> None:
    for prompt in PROMPTS[:2]:
        expected: dict[tuple[object, ...], dict[str, object]] = {}
        for hour in HOURS:
            report = prompt_usage(
                database, project_id, prompt, TimeRange(hour, hour + timedelta(hours=1), "hour"), "hour"
            )
            expected |= {(hour, version): in_columns(usage) for version, usage in report.breakdown}
        assert of_each(rows(database, SELECT_HOURLY, project_id, prompt), "starts_at", "version_hash") == expected
        assert len(expected) == 12


def test_raw_events_are_all_events(database: Connection, project_id: int) -> None:
    for prompt in PROMPTS[:2]:
        found = rows(database, SELECT_RAW, project_id, prompt)
        report = prompt_usage(database, project_id, prompt, WHOLE, "day")
        assert len(found) == len({row["event_id"] for row in found}) == report.totals.events
        assert sum(row["cost_usd"] for row in found if row["cost_usd"] is not None) == report.totals.cost_usd.sum
        assert {row["day"] for row in found} == {row["occurred_at"].date() for row in found}


def test_a_damaged_histogram_has_no_percentiles_and_spoils_no_other(database: Connection) -> None:
    project_id, chance = new_project(database), random.Random(1)
    store_in_batches(database, [an_event(project_id, chance) for _ in range(200)], batch_size=100)
    fold_all(database)
    damage = (
        "UPDATE rollups SET latency_histogram = latency_histogram || '\\x00' WHERE grain = 'day' AND bucket_start = %s"
    )
    database.execute(damage.encode(), [FIRST])
    report = prompt_usage(database, project_id, PROMPTS[0], WHOLE, "day")
    found = of_each(rows(database, SELECT_DAILY, project_id, PROMPTS[0]), "starts_at")
    assert found == {(at,): in_columns(usage) for at, usage in report.series if usage.events}
    assert found[FIRST,]["latency_ms_p95"] is None
    assert found[FIRST,]["latency_ms_mean"] is not None


@pytest.mark.parametrize(
    "counts", [{5: MAX_COUNT + 7, 6: 1}, {0: 1, 1: 63, 2: 63}, {0: 64, 1: 1, 3: 2}, {1_396: 2**32}]
)
def test_histograms_are_read_as_python_reads_them(database: Connection, counts: dict[int, int]) -> None:
    histogram = encode_histogram({ZERO_BUCKET: 1, **counts}) + encode_histogram(counts)
    row = database.execute("SELECT analytics.latency_percentiles(%s, 0, 1e13)", [histogram]).fetchone()
    assert row == (percentiles_of([histogram])[0],)
