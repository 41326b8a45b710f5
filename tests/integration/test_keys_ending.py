"""Which keys end soon: those that somebody has to see to."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.database import Connection
from app.core.queries.key_facts import count_keys_ending
from tests.usage_recount import new_project

NOW = datetime(2026, 11, 22, tzinfo=UTC)
UNTIL = NOW + timedelta(days=7)
INSERT_KEY = """
INSERT INTO api_keys (project_id, name, key_hash, prefix, scopes, expires_at, revoked_at, rotated_from)
VALUES (%(project_id)s, 'k', sha256(gen_random_uuid()::text::bytea), 'eg_live_abcdef', '{ingest}', %(ends)s,
        %(revoked_at)s, %(rotated_from)s)
RETURNING id
"""


@pytest.fixture
def project_id(database: Connection) -> int:
    return new_project(database)


def add_key(
    database: Connection,
    project_id: int,
    days: float | None,
    *,
    is_revoked: bool = False,
    rotated_from: int | None = None,
) -> int:
    """A key that ends in so many days, or never; returns its id."""
    row = database.execute(
        INSERT_KEY,
        {
            "project_id": project_id,
            "ends": None if days is None else NOW + timedelta(days=days),
            "revoked_at": NOW if is_revoked else None,
            "rotated_from": rotated_from,
        },
    ).fetchone()
    assert row is not None
    return int(row[0])


def count(database: Connection, project_id: int) -> int:
    return count_keys_ending(database, project_id, now=NOW, until=UNTIL)


def test_neither_those_that_go_on_nor_those_that_are_over_end_soon(database: Connection, project_id: int):
    for days in (None, 7.01, 0, -1):
        add_key(database, project_id, days)
    add_key(database, project_id, 6, is_revoked=True)
    add_key(database, new_project(database), 6)
    assert count(database, project_id) == 0
    for days in (7, 0.01):
        add_key(database, project_id, days)
    assert count(database, project_id) == 2


def test_one_that_has_a_successor_is_seen_to_unless_that_does_not_work(database: Connection, project_id: int):
    for days in (None, 90):
        add_key(database, project_id, days, rotated_from=add_key(database, project_id, 1))
    assert count(database, project_id) == 0
    add_key(database, project_id, None, rotated_from=add_key(database, project_id, 1), is_revoked=True)
    add_key(database, project_id, -1, rotated_from=add_key(database, project_id, 1))
    assert count(database, project_id) == 2
    # the successor itself ends soon
    add_key(database, project_id, 3, rotated_from=add_key(database, project_id, 1))
    assert count(database, project_id) == 3
