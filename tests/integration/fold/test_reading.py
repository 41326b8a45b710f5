"""Whatever is folded already and whatever is not: every statement that reads rollups answers as if all were folded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.database import Connection
from app.core.queries import (
    budgets,
    busiest,
    changed_prompts,
    looks,
    overviews,
    prompt_days,
    raw_events,
    spend,
    status,
    usage,
    version_cells,
)
from app.core.queries.raw_events import EventsOf
from app.core.rollups.grains import Grain
from app.core.rollups.rollup import WHOLE
from app.core.rollups.time_range import Part, TimeRange, answerable_range, fewest_parts
from app.core.stream.events import Event, new_event_id
from tests.drains import PROMPTS
from tests.folds import fold_all
from tests.plain_answers import assert_same, in_order, plain
from tests.usage_recount import new_project
from worker.store import EventStore, ReceivedEvent

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH = datetime(2026, 3, 1, tzinfo=UTC)
VERSIONS = ["v1", "v2"]
# Around the ends of minutes, hours and days, where a range begins or ends in the middle of them.
ages = st.builds(
    lambda edge, number, shift: edge * number + shift,
    st.sampled_from([timedelta(minutes=1), timedelta(minutes=30), timedelta(hours=12.5)]),
    st.integers(0, 50),
    st.sampled_from([timedelta(0), timedelta(milliseconds=1), timedelta(seconds=59)]),
)
numbers = st.none() | st.decimals(0, 10**4, allow_nan=False, places=6)
drawn_events = st.tuples(
    st.integers(0, 1), st.sampled_from(PROMPTS[:2]), st.sampled_from(VERSIONS), numbers, numbers, numbers, ages
)


class Asked:
    """Whatever can be asked of two projects, whose keys are those in the database."""

    def __init__(self, connection: Connection, project_id: int, time_range: TimeRange) -> None:
        self.connection, self.project_id, self.time_range = connection, project_id, time_range
        rows = connection.execute(
            "SELECT prompt_key, prompt_versions.id FROM prompt_versions JOIN prompts ON prompts.id = prompt_key "
            "WHERE project_id = %s ORDER BY 2",
            [project_id],
        ).fetchall()
        self.prompts = sorted({prompt_key for prompt_key, _ in rows})
        self.versions = {each: [key for prompt_key, key in rows if prompt_key == each] for each in self.prompts}

    def all(self) -> dict[str, Any]:
        """Answers by question."""
        answers = self._of_all() | self._of_project()
        for prompt_key in (WHOLE, *self.prompts):
            answers |= self._over_time(prompt_key)
        for prompt_key in self.prompts:
            answers |= self._of_versions(prompt_key, self.versions[prompt_key])
        return {question: plain(answer) for question, answer in answers.items()}

    def _of_all(self) -> dict[str, Any]:
        connection = self.connection
        return {
            "silent": looks.select_silent_projects(connection, NOW),
            "comparable": looks.select_comparable_prompts(connection, NOW),
            "budgets": budgets.select_budgets(connection, MONTH, MONTH + 31 * DAY),
            "stored": status.select_events_stored(connection),
        }

    def _of_project(self) -> dict[str, Any]:
        connection, project_id, span = self.connection, self.project_id, self.time_range
        parts = fewest_parts(span)
        silent = looks.SilentProject(project_id=project_id, silence_minutes=20, last_minute=NOW)
        return {
            "has events": usage.select_has_events(
                connection, project_id, Part(span.resolution, span.start, span.start + timedelta(hours=1))
            ),
            "ever used": overviews.select_ever_used(connection, project_id),
            "stored of it": status.select_events_stored(connection, project_id=project_id),
            "gaps": looks.select_gaps(connection, silent, NOW),
            "spent": spend.select_spent(connection, project_id, MONTH, MONTH + 9 * DAY),
            "spent by hour": in_order(spend.select_spent_by_hour(connection, project_id, MONTH, MONTH + 9 * DAY)),
            "spent by prompt": in_order(spend.select_spent_by_prompt(connection, project_id, MONTH)),
            "last seen": overviews.select_prompts_last_seen(connection, project_id, self.prompts),
            "began": changed_prompts.select_versions_that_began(connection, project_id, span.start, span.end, limit=3),
            "windows": in_order(prompt_days.select_prompt_windows(connection, project_id, parts, None)),
            "busiest": busiest.select_busiest_prompts(connection, project_id, parts, 1, None),
            "days": prompt_days.select_prompt_days(
                connection, project_id, Part("day", MONTH, MONTH + 9 * DAY), None, histograms=True
            ),
            **{
                f"prompts {only} {with_activity}": in_order(
                    usage.select_prompts(connection, project_id, parts, only, with_activity=with_activity)
                )
                for only in (None, self.prompts[:1])
                for with_activity in (False, True)
            },
        }

    def _over_time(self, prompt_key: int) -> dict[str, Any]:
        connection, project_id, span = self.connection, self.project_id, self.time_range
        windows = [(span.start - week * DAY, span.end - week * DAY) for week in (1, 2)]
        grains: tuple[Grain, ...] = ("minute", "hour", "day")
        return {
            f"totals {prompt_key}": usage.select_totals(connection, project_id, prompt_key, fewest_parts(span)),
            f"beginning {prompt_key}": prompt_days.select_beginning(connection, project_id, prompt_key),
            f"expected {prompt_key}": prompt_days.select_expected_totals(connection, project_id, prompt_key, windows),
            **{
                f"series {prompt_key} {interval}": usage.select_series(
                    connection, project_id, prompt_key, fewest_parts(span, interval), interval=interval, only=None
                )
                for interval in grains
            },
        }

    def _of_versions(self, prompt_key: int, keys: list[int]) -> dict[str, Any]:
        of_prompt = self.connection, self.project_id, prompt_key
        span, parts = self.time_range, fewest_parts(self.time_range)
        by_hour = fewest_parts(span, "hour")
        newest = overviews.select_newest_versions(*of_prompt, 2)
        answers: dict[str, Any] = {
            "newest": newest,
            "before it": overviews.select_newest_versions(*of_prompt, 1, before=newest[0]),
            "newest of few": overviews.select_newest_of_few(self.connection, self.project_id, [prompt_key], 2),
            "seen": in_order(overviews.select_versions_seen(*of_prompt, keys)),
            "by hash": [overviews.select_version_by_hash(*of_prompt, version) for version in VERSIONS],
        }
        for only in (None, keys[:1]):
            answers |= {
                f"versions {only}": in_order(usage.select_versions(*of_prompt, parts, only)),
                f"busiest {only}": busiest.select_busiest_versions(*of_prompt, parts, limit=1, only=only),
                f"days with events {only}": raw_events.select_days_with_events(
                    self.connection,
                    EventsOf(self.project_id, prompt_key, only),
                    start=span.start,
                    end=span.end,
                ),
            }
        answers["series"] = usage.select_series(*of_prompt, by_hour, interval="hour", only=keys[:1])
        answers["lines"] = usage.select_version_series(*of_prompt, by_hour, interval="hour", only=keys)
        for grain in ("minute", "hour"):
            answers[f"cells {grain}"] = in_order(
                version_cells.select_version_cells(*of_prompt, keys, grain=grain, start=span.start, end=span.end)
            )
        return {f"{question} of {prompt_key}": answer for question, answer in answers.items()}


def store(connection: Connection, projects: list[int], drawn: list[tuple[Any, ...]]) -> None:
    """Two events in a batch, so that several rows are of one version and minute."""
    events = [
        ReceivedEvent(Event(new_event_id(), projects[project], *fields), int((NOW - age).timestamp() * 1_000))
        for project, *fields, age in drawn
    ]
    for start in range(0, len(events), 2):
        EventStore().store(connection, events[start : start + 2])


@pytest.mark.timeout(300)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    folded=st.lists(drawn_events, max_size=12),
    added=st.lists(drawn_events, min_size=1, max_size=12),
    time=st.tuples(ages, ages),
)
def test_every_statement_answers_as_if_all_were_folded(
    database: Connection,
    folded: list[tuple[Any, ...]],
    added: list[tuple[Any, ...]],
    time: tuple[timedelta, timedelta],
):
    projects = [new_project(database), new_project(database)]
    database.execute("UPDATE projects SET silence_minutes = 20")
    database.execute(
        "INSERT INTO budgets (project_id, prompt_key, usd_per_month) SELECT id, 0, 1 FROM projects "
        "ON CONFLICT DO NOTHING"
    )
    store(database, projects, folded)
    fold_all(database)
    store(database, projects, added)
    database.execute("UPDATE prompt_versions SET created_at = %s", [NOW])
    database.execute(
        "INSERT INTO budgets (project_id, prompt_key, usd_per_month) SELECT project_id, id, 2 FROM prompts "
        "ON CONFLICT DO NOTHING"
    )
    since, length = time
    time_range = answerable_range(NOW - since - length, NOW - since + timedelta(milliseconds=1), NOW)
    asked = [Asked(database, project_id, time_range) for project_id in projects]
    before = [each.all() for each in asked]
    fold_all(database)
    assert database.execute("SELECT count(*) FROM rollup_additions").fetchone() == (0,)
    for each, answers in zip(asked, before, strict=True):
        assert_same(answers, each.all())
