"""What has changed, from real rollups: against the same hours before, and prompts against their own past."""

import pickle
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import log1p
from uuid import UUID

import pytest

from app.core.analytics.margins import read_project_margins
from app.core.analytics.project_changes import ProjectChanges, read_project_changes
from app.core.analytics.project_overview import read_project_overview
from app.core.analytics.prompt_changes import Changes
from app.core.analytics.range_changes import RangeChanges, read_range_changes
from app.core.analytics.usage import counted_range, find_prompt
from app.core.contract import OTHER_PROMPT
from app.core.database import Connection
from app.core.queries.budgets import WHOLE_PROJECT, upsert_budget
from app.core.queries.margins import MarginsRow, upsert_margins
from app.core.rollups.rollup import WHOLE
from app.core.rollups.time_range import TimeRange
from app.core.stream.events import Event, new_event_id
from tests.usage_recount import new_project, store_in_batches
from worker.store import ReceivedEvent

MONDAY = datetime(2026, 3, 9, 23, 30, tzinfo=UTC)
DAY = timedelta(days=1)
Slowness = Callable[[int, int], float]
"""By prompt and days before MONDAY's: how many times as slow and as dear as usual."""


def an_event(
    project_id: int, time: datetime, prompt: int, *, latency_ms: float, cost_usd: float, score: float
) -> ReceivedEvent:
    latency, cost, rating = (Decimal(f"{number:.6f}") for number in (latency_ms, cost_usd, score))
    event = Event(new_event_id(), project_id, UUID(int=prompt), "v1", latency, cost, rating)
    return ReceivedEvent(event, int(time.timestamp() * 1_000))


def events_of(
    project_id: int, *, days: int, events: Callable[[int, int], int], slowness: Slowness = lambda *_: 1.0
) -> Iterator[ReceivedEvent]:
    """Two prompts, of which the second one is ten times as slow and as dear; at weekends both are half as slow again.

    `events`: how many by prompt and days before MONDAY's.
    """
    drawn = random.Random(5)
    midnight = MONDAY.replace(hour=0, minute=0)
    for ago in range(days):
        day = midnight - ago * DAY
        weekend = 1.5 if day.weekday() >= 5 else 1.0
        for prompt in (1, 2):
            for _ in range(events(prompt, ago)):
                size = 10 ** (prompt - 1) * weekend * slowness(prompt, ago) * drawn.lognormvariate(0, 0.3)
                time = day + timedelta(seconds=drawn.uniform(0, 23.4 * 3_600))
                rating = 0.8 + drawn.uniform(-0.1, 0.1)
                yield an_event(project_id, time, prompt, latency_ms=100 * size, cost_usd=0.001 * size, score=rating)


def range_changes(connection: Connection, project_id: int, length: timedelta) -> RangeChanges | None:
    time_range = TimeRange(MONDAY - length, MONDAY, "hour" if length > 2 * DAY else "minute")
    counted = counted_range(connection, project_id, time_range)
    margins = read_project_margins(connection, project_id)
    return read_range_changes(connection, project_id, WHOLE, time_range, counted, margins=margins, now=MONDAY)


def verdicts(changes: Changes) -> dict[str, str]:
    return {measure: finding.verdict for measure, finding in changes.items()}


def project_changes(connection: Connection, project_id: int, now: datetime = MONDAY) -> ProjectChanges:
    return read_project_changes(connection, project_id, margins=read_project_margins(connection, project_id), now=now)


NOT_CLEAR = {"cost_usd": "none", "score": "none", "latency_p50_ms": "none", "latency_p95_ms": "none"}


def margins_row(prompt_key: int, *, cost_usd: float = 0.2) -> MarginsRow:
    return MarginsRow(prompt_key=prompt_key, cost_usd=cost_usd, latency_ms=0.2, latency_p95_ms=0.2, score=0.2)


def test_nothing_is_compared_where_there_is_no_past(database: Connection):
    project_id = new_project(database)
    assert range_changes(database, project_id, DAY) is None
    store_in_batches(database, list(events_of(project_id, days=6, events=lambda *_: 3)), batch_size=500)
    assert range_changes(database, project_id, DAY) is None
    nothing = project_changes(database, new_project(database))
    assert (nothing.versions, nothing.moved, nothing.spend) == ([], [], None)


def test_a_monday_after_a_slow_sunday_has_not_changed(database: Connection):
    project_id = new_project(database)
    store_in_batches(database, list(events_of(project_id, days=36, events=lambda *_: 300)), batch_size=2_000)
    found = range_changes(database, project_id, DAY)
    assert found is not None
    assert (found.past.weeks_back, len(found.past.windows)) == (1, 4)
    assert found.events == pytest.approx(600, rel=0.1)
    assert verdicts(found.mix) == NOT_CLEAR
    assert {
        name: round(each.interval.estimate, 1) for name, each in found.mix.items() if each.interval
    } == dict.fromkeys(NOT_CLEAR, 0)
    assert project_changes(database, project_id).moved == []


def test_another_mix_of_prompts_is_no_change_though_all_totals_move(database: Connection):
    project_id = new_project(database)
    events = events_of(project_id, days=36, events=lambda prompt, ago: 600 if prompt == 2 and ago < 7 else 120)
    store_in_batches(database, list(events), batch_size=2_000)
    for length in (DAY, 7 * DAY):
        found = range_changes(database, project_id, length)
        assert found is not None
        assert verdicts(found.mix) == NOT_CLEAR
        assert found.events < 0.6 * 720 * (length / DAY)
    assert project_changes(database, project_id).moved == []


def slower_since(days: int) -> Slowness:
    """The second prompt."""
    return lambda prompt, ago: 1.5 if prompt == 2 and ago < days else 1.0


def test_a_prompt_that_is_slower_and_dearer_today_is_named_alone(database: Connection):
    project_id = new_project(database)
    events = events_of(project_id, days=37, events=lambda *_: 400, slowness=slower_since(1))
    store_in_batches(database, list(events), batch_size=2_000)
    found = range_changes(database, project_id, DAY)
    assert found is not None
    (slower,) = (changes for changes in found.by_prompt.values() if set(verdicts(changes).values()) != {"none"})
    assert verdicts(slower) == {"cost_usd": "higher", "score": "none", "latency_p95_ms": "higher"}
    assert verdicts(found.mix)["latency_p50_ms"] == "higher"
    assert {finding.margin for finding in slower.values()} == {log1p(0.05), 0.02, log1p(0.1)}
    upsert_margins(database, project_id, margins_row(WHOLE, cost_usd=0.3))
    upsert_margins(database, project_id, margins_row(find_prompt(database, project_id, UUID(int=2)).prompt_key))
    found = range_changes(database, project_id, DAY)
    assert found is not None
    assert sorted(changes["cost_usd"].margin for changes in found.by_prompt.values()) == [log1p(0.2), log1p(0.3)]
    # not on the evidence of a day that is not over
    assert project_changes(database, project_id).moved == []


def test_a_prompt_that_has_been_slower_and_dearer_for_a_week_has_moved(database: Connection):
    project_id = new_project(database)
    events = events_of(project_id, days=37, events=lambda *_: 400, slowness=slower_since(8))
    store_in_batches(database, list(events), batch_size=2_000)
    (moved,) = project_changes(database, project_id).moved
    assert moved.prompt_id == UUID(int=2)
    assert [(move.measure, move.is_worse) for move in moved.moves] == [("cost_usd", True), ("latency_p95_ms", True)]
    assert moved.moves[0].after / moved.moves[0].before == pytest.approx(1.5, rel=0.1)
    prompt_key = find_prompt(database, project_id, UUID(int=2)).prompt_key
    upsert_margins(database, project_id, margins_row(prompt_key, cost_usd=0.8))
    (moved,) = project_changes(database, project_id).moved
    assert [move.measure for move in moved.moves] == ["latency_p95_ms"]
    database.execute("UPDATE prompts SET prompt_id = %s WHERE id = %s", [OTHER_PROMPT, prompt_key])
    assert project_changes(database, project_id).moved == [], "what is counted together moves with what is sent"


def test_what_came_late_is_looked_at_again(database: Connection):
    project_id = new_project(database)
    store_in_batches(database, list(events_of(project_id, days=36, events=lambda *_: 150)), batch_size=2_000)
    before = range_changes(database, project_id, DAY)
    assert project_changes(database, project_id).moved == []
    late = events_of(project_id, days=8, events=lambda prompt, _: 400 * (prompt == 1), slowness=lambda *_: 3.0)
    store_in_batches(database, list(late), batch_size=2_000)
    after = range_changes(database, project_id, DAY)
    assert before is not None
    assert after is not None
    assert after.events > before.events
    assert [moved.prompt_id for moved in project_changes(database, project_id).moved] == [UUID(int=1)]


def test_the_month_is_told_exactly_and_expected_by_the_weekdays_before(database: Connection):
    project_id = new_project(database)
    events = list(events_of(project_id, days=40, events=lambda *_: 40))
    store_in_batches(database, events, batch_size=2_000)
    upsert_budget(database, project_id, WHOLE_PROJECT, Decimal(9))
    spend = project_changes(database, project_id).spend
    assert spend is not None
    start = MONDAY.replace(day=1, hour=0, minute=0)
    of_month = [each for each in events if each.occurred_at_ms >= start.timestamp() * 1_000]
    assert spend.spent_usd == sum(each.event.cost_usd or Decimal(0) for each in of_month)
    assert (spend.month_start, spend.budget_usd) == (start, Decimal(9))
    assert spend.forecast is not None
    usual = 31 / 28 * sum(float(each.event.cost_usd or 0) for each in events if each.occurred_at_ms) / 40 * 28
    assert spend.forecast.usd == pytest.approx(usual, rel=0.15)
    assert spend.forecast.low < spend.forecast.usd < spend.forecast.high < 1.3 * usual


def test_a_project_of_a_few_days_has_no_forecast(database: Connection):
    project_id = new_project(database)
    store_in_batches(database, list(events_of(project_id, days=9, events=lambda *_: 5)), batch_size=500)
    spend = project_changes(database, project_id).spend
    assert spend is not None
    assert spend.forecast is None


def test_new_versions_come_with_their_verdict(database: Connection):
    project_id = new_project(database)
    old = list(events_of(project_id, days=10, events=lambda prompt, _: 100 * (prompt == 1)))
    new = [
        ReceivedEvent(
            Event(new_event_id(), project_id, UUID(int=1), "v2", each.event.latency_ms, each.event.cost_usd / 2, None),
            each.occurred_at_ms,
        )
        for each in old
        if each.event.cost_usd is not None and each.occurred_at_ms > (MONDAY - 3 * DAY).timestamp() * 1_000
    ]
    store_in_batches(database, sorted([*old, *new], key=lambda each: each.occurred_at_ms), batch_size=500)
    database.execute("UPDATE prompt_versions SET created_at = %s", [MONDAY - 3 * DAY])
    (found,) = project_changes(database, project_id).versions
    assert (found.prompt_id, found.version.version_hash) == (UUID(int=1), "v2")
    assert found.comparison is not None
    assert found.comparison.findings["cost_usd"].verdict == "lower"
    upsert_margins(database, project_id, margins_row(WHOLE))
    (found,) = project_changes(database, project_id).versions
    assert found.comparison is not None
    assert found.comparison.margins.score == 0.2, "not those of a minute ago"
    assert len(pickle.dumps(found)) < 20_000, "it is remembered"
    assert project_changes(database, project_id, MONDAY + 20 * DAY).versions == []


@pytest.mark.parametrize("days", [1 / 24, 1, 7, 30, 90])
def test_a_range_of_any_length_is_answered(database: Connection, days: float):
    project_id = new_project(database)
    events = [
        an_event(project_id, MONDAY - ago * DAY, 1, latency_ms=0, cost_usd=0, score=-1)
        for ago in (0, 0.5, 7, 7.5, 14, 34, 36, 92, 200)
    ]
    store_in_batches(database, events, batch_size=9)
    found = range_changes(database, project_id, days * DAY)
    assert found is not None
    assert set(verdicts(found.mix).values()) <= {"too_few"}
    time_range = TimeRange(MONDAY - days * DAY, MONDAY, "hour")
    overview = read_project_overview(database, project_id, time_range, interval="day", now=MONDAY, search="nobody")
    assert overview.listed.rows == []
