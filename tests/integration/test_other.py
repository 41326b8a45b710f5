"""What is counted under "(other)" is no version and no prompt: nothing that names one names it."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from app.core.analytics.margins import read_project_margins
from app.core.analytics.project_changes import read_project_changes
from app.core.analytics.prompt_overview import read_prompt_overview
from app.core.analytics.usage import find_prompt
from app.core.analytics.version_choice import newest_pair
from app.core.contract import OTHER_PROMPT, OTHER_VERSION
from app.core.database import Connection
from app.core.migrations import migrate, runner
from app.core.queries.changed_prompts import select_renewed_prompts, select_versions_that_began
from app.core.queries.looks import select_comparable_prompts
from app.core.queries.overflows import KEPT, delete_old_overflows
from app.core.rollups.time_range import TimeRange
from app.local.postgres import RunningPostgres
from tests.databases import new_database
from tests.stored_events import PROMPT, an_event
from tests.usage_recount import new_project
from worker.known_versions import NewPerDay
from worker.store import EventStore

HOUR = timedelta(hours=1)
ONE = NewPerDay(versions_of_prompt=1)


@pytest.fixture
def project_id(database: Connection) -> int:
    """Of a prompt with one version that is registered, and another one later that is not."""
    project_id = new_project(database)
    store = EventStore(ONE)
    for version, age in (("v0", 3 * HOUR), ("v1", HOUR), ("v2", HOUR)):
        store.store(database, [an_event(project_id, age, version=version, cost_usd="0.1") for _ in range(40)])
    return project_id


def test_it_is_not_the_newest_version_and_no_reason_to_look(database: Connection, project_id: int):
    now = datetime.now(UTC)
    prompt_key = find_prompt(database, project_id, PROMPT).prompt_key
    assert newest_pair(database, project_id, prompt_key) is None
    assert select_renewed_prompts(database, project_id, now - 24 * HOUR, limit=5) == []
    began = select_versions_that_began(database, project_id, now - 24 * HOUR, now + HOUR, limit=5)
    assert [version.version_hash for version in began] == ["v0"]
    assert project_id not in {prompt.project_id for prompt in select_comparable_prompts(database, now)}
    margins = read_project_margins(database, project_id)
    assert read_project_changes(database, project_id, margins=margins, now=now).versions == []


def test_a_prompt_whose_versions_are_old_is_not_renewed_by_it(database: Connection, project_id: int):
    EventStore().store(database, [an_event(project_id, HOUR, version="second")])
    since = datetime.now(UTC) - 24 * HOUR
    assert len(select_renewed_prompts(database, project_id, since, limit=5)) == 1
    database.execute("UPDATE prompt_versions SET created_at = created_at - interval '20 days' WHERE NOT is_other")
    assert select_renewed_prompts(database, project_id, since, limit=5) == []


def test_its_line_is_the_last_one_of_the_chart(database: Connection, project_id: int):
    EventStore().store(database, [an_event(project_id, 2 * HOUR, version="older")])
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
    time_range = TimeRange(now - 24 * HOUR, now, "hour")
    with database.transaction():
        found = read_prompt_overview(database, project_id, PROMPT, time_range, interval="hour", now=now)
    assert [line.version_hash for line in found.lines] == ["older", "v0", OTHER_VERSION]
    assert {choice.version_hash for choice in found.choices} == {"older", "v0"}


def test_what_was_sent_under_these_names_before_is_theirs_now(
    postgres: RunningPostgres, monkeypatch: pytest.MonkeyPatch
):
    with new_database(postgres.url) as url:
        with monkeypatch.context() as tenth:
            tenth.setattr(runner, "SCHEMA_REVISION", "0010")
            migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("INSERT INTO projects (name) VALUES ('shop')")
            connection.execute(
                "INSERT INTO prompts (project_id, prompt_id) VALUES (1, %s), (1, %s)", [OTHER_PROMPT, PROMPT]
            )
            connection.execute("INSERT INTO prompt_versions (prompt_key, version_hash) VALUES (1, '(other)'), (2, 'v')")
            assert migrate(url) == "0010"
            prompts = connection.execute("SELECT prompt_id, is_other FROM prompts ORDER BY id").fetchall()
            versions = connection.execute("SELECT version_hash, is_other FROM prompt_versions ORDER BY id").fetchall()
    assert prompts == [(OTHER_PROMPT, True), (PROMPT, False)]
    assert versions == [("(other)", True), ("v", False)]


def test_what_is_old_is_forgotten(database: Connection, project_id: int):
    assert project_id
    database.execute("INSERT INTO overflows (project_id, prompt_key, day, allowed) VALUES (1, 7, '2020-02-02', 5)")
    left = "SELECT count(*) FROM overflows WHERE day = '2020-02-02'"
    kept_until = datetime(2020, 2, 2, 12, tzinfo=UTC) + KEPT
    for now, expected in ((kept_until, 1), (kept_until + 24 * HOUR, 0)):
        delete_old_overflows(database, now)
        assert database.execute(left).fetchone() == (expected,)
