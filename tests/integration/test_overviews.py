"""What the pages show, from real rollups: the same totals as the read API, the range before, activity, versions."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from app.core.analytics.project_overview import ProjectOverview, read_project_overview
from app.core.analytics.prompt_overview import Choice, PromptOverview, read_prompt_overview
from app.core.analytics.prompt_versions import read_versions
from app.core.analytics.usage import project_usage, prompt_usage
from app.core.database import Connection, ConnectionPool, connection_from
from app.core.errors import NotFound
from app.core.rollups.grains import Grain
from app.core.rollups.time_range import TimeRange
from app.core.stream.events import Event, new_event_id
from tests.folds import fold_all
from tests.usage_recount import new_project, store_in_batches
from worker.store import ReceivedEvent

NOW = datetime(2026, 3, 10, 12, 30, 20, tzinfo=UTC)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
END = datetime(2026, 3, 10, 12, 31, tzinfo=UTC)
RANGES: dict[str, tuple[TimeRange, Grain]] = {
    "1 h": (TimeRange(END - timedelta(hours=1), END, "minute"), "minute"),
    "24 h": (TimeRange(END - timedelta(hours=24), END, "minute"), "hour"),
    "7 d": (TimeRange(NOON - timedelta(days=7), NOON + timedelta(hours=1), "hour"), "hour"),
    "90 d": (TimeRange(NOON - timedelta(days=90), NOON + timedelta(hours=1), "hour"), "day"),
}


def an_event(
    project_id: int,
    time: datetime,
    *,
    prompt: int = 1,
    version: str = "v1",
    latency_ms: str | None = None,
    cost_usd: str | None = None,
    score: str | None = None,
) -> ReceivedEvent:
    latency, cost, rating = (None if number is None else Decimal(number) for number in (latency_ms, cost_usd, score))
    event = Event(new_event_id(), project_id, UUID(int=prompt), version, latency, cost, rating)
    return ReceivedEvent(event, int(time.timestamp() * 1_000))


def events_of_all_ages(project_id: int) -> list[ReceivedEvent]:
    drawn = random.Random(7)
    ages = [timedelta(seconds=drawn.uniform(0, 86_400 * days)) for days in (0.04, 0.09, 1, 2, 8, 15, 90, 190)] * 12
    return [
        an_event(
            project_id,
            NOW - age,
            prompt=drawn.randint(1, 3),
            version=drawn.choice(["v1", "v2"]),
            latency_ms=str(drawn.randint(1, 5_000)),
            cost_usd=f"0.000{drawn.randint(1, 999)}",
            score=drawn.choice([None, "0.5", "-1"]),
        )
        for age in ages
    ]


def overview_of(
    pool: ConnectionPool, project_id: int, time_range: TimeRange, interval: Grain, search: str = ""
) -> ProjectOverview:
    with connection_from(pool, snapshot=True) as connection:
        return read_project_overview(connection, project_id, time_range, interval=interval, now=NOW, search=search)


def prompt_of(pool: ConnectionPool, project_id: int, time_range: TimeRange, interval: Grain = "hour") -> PromptOverview:
    with connection_from(pool, snapshot=True) as connection:
        return read_prompt_overview(connection, project_id, UUID(int=1), time_range, interval=interval, now=NOW)


@pytest.mark.parametrize("name", RANGES)
def test_the_totals_of_a_project_are_those_of_the_read_api(pool: ConnectionPool, database: Connection, name: str):
    time_range, interval = RANGES[name]
    project_id = new_project(database)
    events = events_of_all_ages(project_id)
    store_in_batches(database, events, batch_size=13)
    found = overview_of(pool, project_id, time_range, interval)
    with connection_from(pool, snapshot=True) as connection:
        expected = project_usage(connection, project_id, time_range, interval)
    assert found.period.totals == expected.totals
    assert [(point.start, point.usage) for point in found.period.series] == expected.series
    assert [(each.prompt_id, each.usage) for each in found.listed.rows] == expected.breakdown
    assert [sum(each.activity) for each in found.listed.rows] == [each.usage.events for each in found.listed.rows]


@pytest.mark.parametrize("name", RANGES)
def test_the_totals_of_a_prompt_are_those_of_the_read_api(pool: ConnectionPool, database: Connection, name: str):
    time_range, interval = RANGES[name]
    project_id = new_project(database)
    store_in_batches(database, events_of_all_ages(project_id), batch_size=13)
    found = prompt_of(pool, project_id, time_range, interval)
    with connection_from(pool, snapshot=True) as connection:
        expected = prompt_usage(connection, project_id, UUID(int=1), time_range, interval)
        alone = read_versions(connection, project_id, UUID(int=1), time_range)
    assert found.period.totals == expected.totals
    assert [(each.version_hash, each.usage) for each in found.listed.rows] == expected.breakdown
    assert alone == found.listed
    by_hash = {line.version_hash: sum(usage.events for usage in line.usages) for line in found.lines}
    assert by_hash == {each.version_hash: each.usage.events for each in found.listed.rows}
    assert sum(each.share for each in found.listed.rows) == pytest.approx(1)


def test_only_buckets_that_are_over_and_all_in_the_range_are_whole(pool: ConnectionPool, database: Connection):
    time_range, interval = RANGES["24 h"]
    series = overview_of(pool, new_project(database), time_range, interval).period.series
    assert [point.whole for point in series] == [False, *[True] * 23, False]


def test_prompts_are_found_by_a_part_of_their_id_or_name(pool: ConnectionPool, database: Connection):
    project_id = new_project(database)
    store_in_batches(database, [an_event(project_id, NOW, prompt=n) for n in (1, 2, 0xABC)], batch_size=9)
    database.execute("UPDATE prompts SET name = '100%%_Summaries' WHERE prompt_id = %s", [UUID(int=2)])
    found = {
        search: [each.prompt_id.int for each in overview_of(pool, project_id, *RANGES["1 h"], search).listed.rows]
        for search in ("summar", "%_S", "ABC", "0000-0000", "%%", "nothing")
    }
    assert found == {"summar": [2], "%_S": [2], "ABC": [0xABC], "0000-0000": [1, 2, 0xABC], "%%": [], "nothing": []}


def test_last_seen_is_to_the_minute_where_minutes_are_kept_and_to_the_hour_before(
    pool: ConnectionPool, database: Connection
):
    project_id = new_project(database)
    recent, old = NOW - timedelta(minutes=7), NOW - timedelta(days=40)
    store_in_batches(database, [an_event(project_id, recent), an_event(project_id, old, prompt=2)], batch_size=9)
    fold_all(database)
    database.execute(
        "DELETE FROM rollups WHERE project_id = %s AND grain = 'minute' AND prompt_key > 0 AND bucket_start < %s",
        [project_id, NOW - timedelta(days=7)],
    )
    prompts = overview_of(pool, project_id, *RANGES["90 d"]).listed.rows
    assert {each.prompt_id.int: each.last_seen for each in prompts} == {
        1: recent.replace(second=0),
        2: old.replace(minute=0, second=0),
    }


def test_versions_say_when_they_were_first_and_last_seen(pool: ConnectionPool, database: Connection):
    project_id = new_project(database)
    ages = [timedelta(minutes=20), timedelta(hours=5, minutes=7), timedelta(days=3)]
    store_in_batches(database, [an_event(project_id, NOW - age) for age in ages], batch_size=9)
    (version,) = prompt_of(pool, project_id, RANGES["1 h"][0]).listed.rows
    assert version.first_seen == (NOW - ages[-1]).replace(second=0)
    assert version.last_seen == (NOW - ages[0]).replace(second=0)


def test_the_versions_compared_have_lines_first_then_the_newest(pool: ConnectionPool, database: Connection):
    project_id = new_project(database)
    ages = [timedelta(hours=20 - number) for number in range(9)]
    events = [
        an_event(project_id, NOW - age, version=f"v{number}")
        for number, age in enumerate(ages)
        for _ in range(9 - number)
    ]
    store_in_batches(database, [*events, an_event(project_id, NOW - timedelta(days=5), version="v0")], batch_size=60)
    time_range, interval = RANGES["24 h"]
    with connection_from(pool, snapshot=True) as connection:
        lines = {
            choice: [
                line.version_hash
                for line in read_prompt_overview(
                    connection, project_id, UUID(int=1), time_range, interval=interval, now=NOW, choice=choice
                ).lines
            ]
            for choice in (Choice(), Choice(baseline="v0", candidate="v4"), Choice(candidate="v2"))
        }
    assert list(lines.values()) == [
        ["v8", "v7", "v6", "v5", "v4", "v3"],
        ["v4", "v0", "v8", "v7", "v6", "v5"],
        ["v2", "v1", "v8", "v7", "v6", "v5"],
    ]


def test_shares_of_the_cost_are_of_the_whole_project_also_while_one_searches(
    pool: ConnectionPool, database: Connection
):
    project_id = new_project(database)
    costs = [(1, "0.75"), (2, "0.25"), (3, None)]
    store_in_batches(
        database,
        [an_event(project_id, NOW, prompt=prompt, cost_usd=None if cost is None else cost) for prompt, cost in costs],
        batch_size=9,
    )
    rows = overview_of(pool, project_id, *RANGES["1 h"]).listed.rows
    assert {row.prompt_id.int: row.cost_share for row in rows} == {1: 0.75, 2: 0.25, 3: 0.0}
    (found,) = overview_of(pool, project_id, *RANGES["1 h"], "0000002").listed.rows
    assert found.cost_share == 0.25


def test_the_latencies_of_a_range_are_shares_of_all_its_events(pool: ConnectionPool, database: Connection):
    project_id = new_project(database)
    latencies = [100] * 60 + [1_000] * 40
    store_in_batches(
        database, [an_event(project_id, NOW, latency_ms=str(latency)) for latency in latencies], batch_size=100
    )
    found = overview_of(pool, project_id, *RANGES["1 h"]).period.latencies
    assert found is not None
    assert sum(found.shares) == pytest.approx(1)
    assert (found.shares[0], found.shares[-1]) == pytest.approx((0.6, 0.4))
    assert found.edges_ms[0] <= 100 <= found.edges_ms[1]
    assert found.edges_ms[-2] <= 1_000 <= found.edges_ms[-1] * 1.0001


def test_a_prompt_without_events_in_the_range_still_has_a_page(pool: ConnectionPool, database: Connection):
    project_id = new_project(database)
    store_in_batches(database, [an_event(project_id, NOW - timedelta(days=3))], batch_size=9)
    found = prompt_of(pool, project_id, RANGES["1 h"][0])
    assert (found.period.totals.events, found.listed.rows, found.lines, found.comparison) == (0, [], [], None)
    with connection_from(pool, snapshot=True) as connection, pytest.raises(NotFound):
        read_versions(connection, project_id, UUID(int=9), RANGES["1 h"][0])


def test_a_prompt_with_few_events_is_shown_by_the_day(pool: ConnectionPool, database: Connection):
    project_id = new_project(database)
    store_in_batches(database, [an_event(project_id, NOW) for _ in range(30 * 169)], batch_size=6_000)
    assert prompt_of(pool, project_id, *RANGES["7 d"]).period.interval == "hour"
    fold_all(database)
    database.execute("UPDATE rollups SET events = events - 1 WHERE project_id = %s AND grain <> 'minute'", [project_id])
    assert prompt_of(pool, project_id, *RANGES["7 d"]).period.interval == "day"
    assert prompt_of(pool, project_id, *RANGES["24 h"]).period.interval == "hour"
