"""The versions of a prompt that has more of them than are listed."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.analytics.prompt_versions import Shown, read_versions
from app.core.analytics.usage import MAX_ROWS
from app.core.database import Connection, connected
from app.core.rollups.time_range import answerable_range
from tests.sign_in import create_project
from tests.stored_events import PROMPT, an_event, store_events


@pytest.fixture
def project_id(database_url: str, clean_database: None) -> int:
    return create_project(database_url, "demo")


def hashes(connection: Connection, project_id: int, hours: int, shown: Shown) -> tuple[set[str], bool]:
    now = datetime.now(UTC)
    time_range = answerable_range(now - timedelta(hours=hours), now, now)
    found = read_versions(connection, project_id, PROMPT, time_range, shown)
    return {version.version_hash for version in found.rows}, found.truncated


def test_a_search_and_an_address_find_versions_that_are_not_listed(database_url: str, project_id: int):
    versions = [f"v{number:04}" for number in range(MAX_ROWS + 2)]
    quiet, *busy = versions
    ages = timedelta(hours=2), timedelta(hours=3)
    events = [an_event(project_id, age, version=version) for version in busy for age in ages]
    store_events(database_url, [*events, an_event(project_id, ages[0], version=quiet)])
    with connected(database_url, application_name="test", statement_timeout_ms=20_000) as connection:
        listed, truncated = hashes(connection, project_id, 24, Shown())
        assert truncated
        assert len(listed) == MAX_ROWS
        assert listed < set(busy)
        assert hashes(connection, project_id, 24, Shown(search="V0000")) == ({quiet}, False)
        assert hashes(connection, project_id, 24, Shown(only=(quiet, busy[0]))) == ({quiet, busy[0]}, False)
        assert hashes(connection, project_id, 24, Shown(only=(busy[0],), search=quiet)) == (set(), False)
        assert hashes(connection, project_id, 1, Shown()) == (set(), False)
