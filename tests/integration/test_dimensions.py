"""Looking up versions and counting the new ones costs as much as is asked for, however many a prompt has."""

from collections.abc import Callable, Iterator
from uuid import UUID

import psycopg
import pytest

from app.core.database import Connection
from app.core.queries.dimensions import Version, insert_prompts, insert_versions, prompt_of, select_versions
from app.core.queries.overflows import count_new_prompts, count_new_versions
from tests.usage_recount import new_project

PROMPT = UUID(int=1)
ROWS = 20_000
MADE = """
INSERT INTO prompts (project_id, prompt_id)
SELECT %(project_id)s, gen_random_uuid() FROM generate_series(1, %(rows)s);
"""
MADE_VERSIONS = """
INSERT INTO prompt_versions (prompt_key, version_hash, created_at)
SELECT %(prompt_key)s, 'v' || number, now() - number %% 2 * interval '2 days'
FROM generate_series(1, %(rows)s) AS number
"""
READ = """
SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint
FROM pg_stat_xact_user_tables
WHERE relname IN ('prompts', 'prompt_versions')
"""


@pytest.fixture
def project_id(database: Connection) -> int:
    return new_project(database)


@pytest.fixture(params=["force_custom_plan", "force_generic_plan"])
def flooded(database: Connection, project_id: int, request: pytest.FixtureRequest) -> Iterator[int]:
    """The key of a prompt that got thousands of versions since the last ANALYZE, and its project as many prompts."""
    version = Version(project_id, PROMPT, "first")
    insert_prompts(database, [prompt_of(version)])
    insert_versions(database, [version])
    database.execute("ANALYZE prompts, prompt_versions")
    prompt_key = select_versions(database, [version]).versions[version].prompt_key
    # of what is not committed no autovacuum can take statistics
    with database.transaction():
        database.execute(f"SET LOCAL plan_cache_mode = {request.param}")
        database.execute(MADE, {"project_id": project_id, "rows": ROWS})
        database.execute(MADE_VERSIONS, {"prompt_key": prompt_key, "rows": ROWS})
        yield prompt_key
        raise psycopg.Rollback


def rows_read(database: Connection, look: Callable[[], object]) -> int:
    (before,), _, (after,) = database.execute(READ).fetchall()[0], look(), database.execute(READ).fetchall()[0]
    return int(after - before)


def test_a_version_is_looked_up_without_a_look_at_the_others(database: Connection, project_id: int, flooded: int):
    unknown = [Version(project_id, PROMPT, f"unknown {number}") for number in range(1_000)]
    known = [Version(project_id, PROMPT, f"v{number}") for number in range(1, 1_001)]
    assert rows_read(database, lambda: select_versions(database, unknown)) < 3_000
    assert len(select_versions(database, known).versions) == 1_000
    assert rows_read(database, lambda: select_versions(database, known)) < 5_000


def test_new_versions_are_counted_up_to_the_limit(database: Connection, flooded: int):
    assert rows_read(database, lambda: count_new_versions(database, [flooded], limit=50)) < 500
    assert count_new_versions(database, [flooded], limit=50) == {flooded: 50}
    assert count_new_versions(database, [flooded], limit=ROWS) == {flooded: ROWS // 2 + 1}


def test_new_prompts_are_counted_up_to_the_limit(database: Connection, project_id: int, flooded: int):
    assert flooded
    assert rows_read(database, lambda: count_new_prompts(database, [project_id], limit=50)) < 500
    assert count_new_prompts(database, [project_id, project_id + 1], limit=50) == {project_id: 50, project_id + 1: 0}
    assert count_new_prompts(database, [project_id], limit=2 * ROWS) == {project_id: ROWS + 1}
