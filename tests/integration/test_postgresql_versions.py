"""What a database has to do, on every PostgreSQL that is at hand and is not that of all other tests."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.core.analytics.usage import project_usage
from app.core.database import connect, connection_from, open_pool
from app.core.migrations import migrate
from app.core.rollups.time_range import answerable_range
from app.local.binaries import OLDEST_POSTGRES, find_postgres
from app.local.children import Guard
from app.local.errors import CannotRun
from app.local.postgres import RunningPostgres, start_postgres
from tests.folds import fold_all
from tests.recount import assert_rollups_equal_a_recount
from tests.stored_events import an_event
from tests.usage_recount import new_project, store_in_batches
from worker.maintenance import maintain

NEWEST_POSTGRES = 18


@pytest.mark.parametrize("major", range(OLDEST_POSTGRES, NEWEST_POSTGRES + 1))
def test_it_stores_folds_answers_and_cleans_up(
    major: int, postgres: RunningPostgres, tmp_path: Path, guard: Guard
) -> None:
    if major == postgres.binaries.major:
        pytest.skip("all other tests run on this one")
    try:
        programs = find_postgres(major=major).folder
    except CannotRun:
        pytest.skip(f"PostgreSQL {major} is not here")
    server = start_postgres(tmp_path / "postgres", guard, durable=False, programs=programs)
    try:
        store_fold_answer_and_clean_up(server.url)
    finally:
        server.kill()


def store_fold_answer_and_clean_up(url: str) -> None:
    migrate(url)
    now = datetime.now(UTC)
    with connect(url, application_name="test", statement_timeout_ms=20_000) as connection:
        project_id = new_project(connection)
        events = [an_event(project_id, timedelta(minutes=number), cost_usd="0.1") for number in range(1, 60)]
        store_in_batches(connection, events[:40], batch_size=20)
        fold_all(connection)
        store_in_batches(connection, events, batch_size=20)
        fold_all(connection)
        store_in_batches(connection, events[:1], batch_size=1)
        assert assert_rollups_equal_a_recount(connection) == len(events)
        maintain(connection, now, retention_days=90)
    with open_pool(url, application_name="test", size=1) as pool, connection_from(pool, snapshot=True) as connection:
        asked = answerable_range(now - timedelta(hours=3), now + timedelta(minutes=1), now)
        usage = project_usage(connection, project_id, asked, "hour")
        assert usage.totals.events == len(events)
