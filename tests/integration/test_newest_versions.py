"""Which versions of a prompt are the newest: by their first events, of all that there ever were."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.core.analytics.usage import find_prompt
from app.core.analytics.version_choice import choose_versions, newest_pair, newest_pairs
from app.core.database import Connection
from app.core.errors import NothingToCompare, VersionNotFound
from app.core.queries.changed_prompts import select_renewed_prompts, select_versions_that_began
from app.core.queries.overviews import (
    FEW_VERSIONS,
    select_newest_versions,
    select_version_by_hash,
    select_versions_seen,
)
from app.core.stream.events import Event, new_event_id
from tests.usage_recount import new_project, store_in_batches
from worker.store import ReceivedEvent

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
PROMPT = UUID(int=1)


def an_event(project_id: int, version: str, age: timedelta) -> ReceivedEvent:
    time_ms = int((NOON - age).timestamp() * 1_000)
    return ReceivedEvent(Event(new_event_id(), project_id, PROMPT, version), time_ms)


@pytest.fixture
def project_id(database: Connection) -> int:
    return new_project(database)


def register(database: Connection, project_id: int, ages: Sequence[tuple[str, timedelta, timedelta]]) -> int:
    """Versions, each with the age of its first event and that of its registration; returns the key of the prompt."""
    for version, first_event, registration in ages:
        store_in_batches(database, [an_event(project_id, version, first_event)], batch_size=1)
        database.execute(
            "UPDATE prompt_versions SET created_at = %s WHERE id = (SELECT max(id) FROM prompt_versions)",
            [NOON - registration],
        )
    return find_prompt(database, project_id, PROMPT).prompt_key


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def newest_hashes(database: Connection, project_id: int, prompt_key: int, limit: int) -> list[str]:
    found = select_newest_versions(database, project_id, prompt_key, limit)
    return [version.version_hash for version in found]


def test_versions_that_were_backfilled_do_not_hide_the_newest_ones(database: Connection, project_id: int):
    live = [("first", hours(900), hours(900)), ("second", hours(48), hours(48)), ("third", hours(9), hours(9))]
    backfilled = [(f"b{number}", hours(300 + number), hours(5)) for number in range(25)]
    prompt_key = register(database, project_id, [*live, *backfilled])
    assert newest_hashes(database, project_id, prompt_key, 2) == ["third", "second"]
    found = newest_pair(database, project_id, prompt_key)
    assert found is not None
    assert (found.candidate.version_hash, found.baseline.version_hash) == ("third", "second")


def test_the_newest_are_found_however_long_ago_they_had_events(database: Connection, project_id: int):
    ages = [("a", timedelta(days=800), timedelta(days=800)), ("b", timedelta(days=500), timedelta(days=500))]
    prompt_key = register(database, project_id, ages)
    database.execute("DELETE FROM rollups WHERE grain = 'minute' AND project_id = %s", [project_id])
    assert newest_hashes(database, project_id, prompt_key, 2) == ["b", "a"]


def register_thousands(database: Connection, project_id: int) -> int:
    """One version in an hour, the last one now; returns the key of the prompt."""
    prompt_key = register(database, project_id, [("v", hours(3_001), hours(3_001))])
    database.execute(
        """
        WITH version AS (
            INSERT INTO prompt_versions (prompt_key, version_hash, created_at)
            SELECT %(prompt_key)s, 'v' || age, %(now)s::timestamptz - age * interval '1 hour'
            FROM generate_series(3000, 0, -1) AS age
            RETURNING id, created_at
        )
        INSERT INTO rollups (project_id, prompt_key, version_key, grain, bucket_start, events, latency_count,
            latency_sum, latency_sum_squares, latency_log_sum, latency_log_sum_squares, latency_histogram, cost_count,
            cost_sum, cost_sum_squares, score_count, score_sum, score_sum_squares)
        SELECT %(project_id)s, %(prompt_key)s, id, 'hour', created_at, 1, 0, 0, 0, 0, 0, '', 0, 0, 0, 0, 0, 0
        FROM version
        """,
        {"project_id": project_id, "prompt_key": prompt_key, "now": NOON},
    )
    database.execute("ANALYZE prompt_versions")
    return prompt_key


def store_another_prompt(database: Connection, project_id: int, number: int = 2, *, versions: int = 1) -> int:
    """Its versions are registered now; returns its key."""
    for version in range(versions):
        event = Event(new_event_id(), project_id, UUID(int=number), f"v{version}")
        store_in_batches(database, [ReceivedEvent(event, int(NOON.timestamp() * 1_000))], batch_size=1)
    return find_prompt(database, project_id, UUID(int=number)).prompt_key


def test_the_newest_of_several_prompts_are_those_of_each(database: Connection, project_id: int):
    few = register(
        database, project_id, [("a", hours(9), hours(9)), ("b", hours(3), hours(3)), ("c", hours(5), hours(2))]
    )
    many = store_another_prompt(database, project_id, versions=FEW_VERSIONS + 1)
    single = store_another_prompt(database, project_id, 3)
    pairs = newest_pairs(database, project_id, [few, many, single])
    assert (pairs[few].candidate.version_hash, pairs[few].baseline.version_hash) == ("b", "c")
    assert pairs == {key: newest_pair(database, project_id, key) for key in (few, many)}


# Those of other tests were registered after NOON: what is read of them depends on how many they are.
@pytest.mark.usefixtures("clean_database")
def test_of_thousands_of_versions_only_the_last_ones_are_read(database: Connection, project_id: int):
    prompt_key = register_thousands(database, project_id)
    read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'prompt_versions'"
    with database.transaction():
        assert newest_hashes(database, project_id, prompt_key, 2) == ["v0", "v1"]
        renewed = select_renewed_prompts(database, project_id, NOON - hours(24), limit=5)
        began = select_versions_that_began(database, project_id, NOON - hours(24), NOON, limit=50)
        rows_read = database.execute(read).fetchone()
    assert [prompt.prompt_key for prompt in renewed] == [prompt_key]
    assert len(began) == 24
    assert rows_read is not None
    assert 0 < rows_read[0] < 300


def test_what_was_renewed_is_found_without_a_look_at_other_projects(database: Connection, project_id: int):
    register_thousands(database, new_project(database))
    prompt_key = register(database, project_id, [("a", hours(9), hours(9)), ("b", hours(3), hours(3))])
    new = store_another_prompt(database, project_id)
    database.execute("ANALYZE prompt_versions")
    read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'prompt_versions'"
    with database.transaction():
        before = database.execute(read).fetchone()
        renewed = select_renewed_prompts(database, project_id, NOON - hours(4_000), limit=5)
        after = database.execute(read).fetchone()
    assert [prompt.prompt_key for prompt in renewed] == [prompt_key] != [new]
    assert before is not None
    assert after is not None
    assert after[0] - before[0] < 30


def test_those_renewed_last_come_first_and_only_so_many(database: Connection, project_id: int):
    keys = [store_another_prompt(database, project_id, number, versions=3) for number in (5, 3, 4, 2)]
    renewed = select_renewed_prompts(database, project_id, NOON - hours(4_000), limit=3)
    assert [prompt.prompt_key for prompt in renewed] == keys[:0:-1]
    database.execute("UPDATE prompt_versions SET created_at = %s", [NOON - hours(48)])
    assert select_renewed_prompts(database, project_id, NOON - hours(24), limit=3) == []


def test_postgresql_compiles_no_statement_that_reads_a_few_rows(database: Connection):
    assert database.execute("SHOW jit").fetchone() == ("off",)


@pytest.mark.parametrize("seed", range(3))
def test_they_are_those_that_began_last_in_whatever_order_they_were_registered(
    database: Connection, project_id: int, seed: int
):
    drawn = random.Random(seed)
    registrations = sorted((hours(drawn.uniform(0, 900)) for _ in range(60)), reverse=True)
    # Events may lie a month before the registration, or minutes ahead of it.
    delays = [drawn.choice([hours(0), hours(drawn.uniform(0, 720)), timedelta(minutes=-4)]) for _ in registrations]
    ages = [
        (f"v{number}", registration + delay, registration)
        for number, (registration, delay) in enumerate(zip(registrations, delays, strict=True))
    ]
    prompt_key = register(database, project_id, ages)
    versions = [select_version_by_hash(database, project_id, prompt_key, version) for version, *_ in ages]
    expected = sorted((each for each in versions if each), key=lambda each: (each.first_seen, each.version_key))
    assert len(expected) == 60
    assert select_newest_versions(database, project_id, prompt_key, 7) == expected[:-8:-1]
    for place in (59, 30, 5):
        before = select_newest_versions(database, project_id, prompt_key, 2, before=expected[place])
        assert before == [expected[place - 1], expected[place - 2]]
    assert select_newest_versions(database, project_id, prompt_key, 2, before=expected[0]) == []


def test_of_two_versions_of_one_minute_the_one_registered_later_is_newer(database: Connection, project_id: int):
    prompt_key = register(database, project_id, [(version, hours(5), hours(5)) for version in ("z", "m", "a")])
    assert newest_hashes(database, project_id, prompt_key, 3) == ["a", "m", "z"]
    middle = choose_versions(database, project_id, prompt_key, baseline=None, candidate="m")
    assert (middle.baseline.version_hash, middle.candidate.version_hash) == ("z", "m")


def test_a_version_is_found_by_its_hash_with_the_times_that_others_have(database: Connection, project_id: int):
    prompt_key = register(database, project_id, [("v1", hours(50.3), hours(50)), ("v2", hours(5), hours(5))])
    store_in_batches(database, [an_event(project_id, "v1", hours(0.4))], batch_size=1)
    found = select_version_by_hash(database, project_id, prompt_key, "v1")
    assert found is not None
    assert (found.first_seen, found.last_seen) == (NOON - hours(50.3), NOON - hours(0.4))
    assert select_versions_seen(database, project_id, prompt_key, [found.version_key]) == [found]
    assert select_version_by_hash(database, project_id, prompt_key, "V1") is None
    assert select_version_by_hash(database, project_id, prompt_key + 1, "v1") is None


def test_versions_that_are_named_must_be_there_and_leave_another_one(database: Connection, project_id: int):
    prompt_key = register(database, project_id, [("v1", hours(50), hours(50))])
    for baseline, candidate in ((None, None), ("v1", None), (None, "v1")):
        with pytest.raises(NothingToCompare):
            choose_versions(database, project_id, prompt_key, baseline=baseline, candidate=candidate)
    for baseline, candidate, named in (("v2", "v1", "baseline"), ("v1", "v2", "candidate")):
        with pytest.raises(VersionNotFound, match=named):
            choose_versions(database, project_id, prompt_key, baseline=baseline, candidate=candidate)
    assert newest_pair(database, project_id, prompt_key) is None
