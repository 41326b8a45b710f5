"""The views are what docs/grafana-and-sql.md says, its questions work, and they read no more than they must."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import sql

from app.core.database import Connection
from app.core.queries.additions import SHRINK
from app.local.children import REPOSITORY
from tests.commands import run_command
from tests.drains import open_connection
from tests.folds import fold_all
from tests.sign_in import create_project
from tests.stored_events import an_event, store_events
from worker.maintenance import maintain

DOCUMENT = (REPOSITORY / "docs" / "grafana-and-sql.md").read_text()
VIEWS = re.findall(r"^### analytics\.(\w+)$", DOCUMENT, re.MULTILINE)
SELECT_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod)
FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0
ORDER BY attnum
"""


@pytest.fixture
def database(database_url: str, clean_database: None) -> Iterator[Connection]:
    """With a project demo, of whose events today one is folded and one is not."""
    project_id = create_project(database_url, "demo")
    with open_connection(database_url) as connection:
        store_events(database_url, [an_event(project_id, latency_ms="5", cost_usd="1")])
        fold_all(connection)
        store_events(database_url, [an_event(project_id, latency_ms="7", cost_usd="2")])
        yield connection


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_the_columns_that_are_documented_and_no_other(database: Connection, view: str) -> None:
    section = DOCUMENT.split(f"### analytics.{view}\n")[1].split("\n#")[0]
    documented = re.findall(r"^\| `(\w+)` \| ([a-z ]+) \|", section, re.MULTILINE)
    found = database.execute(SELECT_COLUMNS, [f"analytics.{view}"]).fetchall()
    assert [(name, kind.replace("timestamp with time zone", "timestamptz")) for name, kind in found] == documented


def test_each_view_is_documented(database: Connection) -> None:
    found = database.execute("SELECT viewname FROM pg_views WHERE schemaname = 'analytics'").fetchall()
    assert sorted(name for (name,) in found) == sorted(VIEWS)
    assert len(VIEWS) == 3


def questions() -> list[str]:
    section = DOCUMENT.split("### Questions for Grafana")[1]
    return re.findall(r"^```sql\n(.+?)^```$", section, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("question", questions())
def test_a_question_of_the_document_has_an_answer(database: Connection, question: str) -> None:
    now = datetime.now(UTC)
    span = f"BETWEEN '{now - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}' AND '{now:%Y-%m-%dT%H:%M:%SZ}'"
    asked = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 {span}", question)
    assert database.execute(asked.encode()).fetchall()


FILL_ROLLUPS = """
INSERT INTO rollups
SELECT project_id, prompt_key, version_key, grain, bucket_start + number * make_interval(days => 1), events,
       latency_count, latency_sum, latency_sum_squares, latency_min, latency_max, latency_log_sum,
       latency_log_sum_squares, latency_histogram, cost_count, cost_sum, cost_sum_squares, cost_min, cost_max,
       score_count, score_sum, score_sum_squares, score_min, score_max
FROM rollups
CROSS JOIN generate_series(-200, -1) AS number
WHERE grain IN ('hour', 'day')
"""
SELECT_OF_PROMPT = """
EXPLAIN SELECT events FROM analytics.{view}
WHERE project = 'demo' AND prompt_id = '123e4567-e89b-12d3-a456-426614174000'
  AND starts_at >= now() - interval '3 days' AND starts_at < now()
"""


def plan(database: Connection, question: sql.Composed) -> str:
    return "\n".join(line for (line,) in database.execute(question).fetchall())


@pytest.mark.parametrize(("view", "grain"), [("prompts_daily", "day"), ("versions_hourly", "hour")])
def test_a_prompt_and_a_range_of_time_are_one_range_of_an_index(database: Connection, view: str, grain: str) -> None:
    database.execute(FILL_ROLLUPS)
    database.execute("ANALYZE")
    found = plan(database, sql.SQL(SELECT_OF_PROMPT).format(view=sql.Identifier(view)))
    (condition,) = re.findall(rf"on rollups_{grain}.*\n +Index Cond: (.+)", found)
    for column in ("project_id", "prompt_key", "version_key", "bucket_start >=", "bucket_start <"):
        assert column in condition
    others = {"minute", "hour", "day"} - {grain}
    assert not any(f"rollups_{other}" in found for other in others)
    assert found.count("rollup_additions") == 1


def test_raw_events_of_a_day_are_read_from_its_partition_alone(database: Connection) -> None:
    today = datetime.now(UTC).date()
    database.execute("SET enable_seqscan = off")
    question = "EXPLAIN SELECT cost_usd FROM analytics.raw_events WHERE project = 'demo' AND day = {}"
    found = plan(database, sql.SQL(question).format(today))
    assert set(re.findall(r"events_\d{8}", found)) == {f"events_{today:%Y%m%d}"}
    assert re.search(r"Index Cond: .*day = ", found)


@pytest.mark.parametrize(
    ("question", "calls"),
    [
        ("SELECT events, cost_usd_sum FROM analytics.prompts_daily", 0),
        ("SELECT latency_ms_p50, latency_ms_p95, latency_ms_p99 FROM analytics.prompts_daily", 1),
    ],
)
def test_percentiles_are_worked_out_once_and_only_where_somebody_asks(
    database: Connection, question: str, calls: int
) -> None:
    database.execute("SET track_functions = 'all'")
    called = "SELECT coalesce(sum(calls), 0) FROM pg_stat_xact_user_functions WHERE funcname = 'latency_percentiles'"
    with database.transaction():
        assert len(database.execute(question.encode()).fetchall()) == 1
        assert database.execute(called).fetchone() == (calls,)


def test_upkeep_works_with_the_views_and_they_with_it(database: Connection, database_url: str) -> None:
    old = datetime.now(UTC).date() - timedelta(days=200)
    values = f"FROM ('{old}') TO ('{old + timedelta(days=1)}')"
    database.execute(f"CREATE TABLE events_{old:%Y%m%d} PARTITION OF events FOR VALUES {values}".encode())
    maintain(database, datetime.now(UTC), retention_days=90)
    assert database.execute("SELECT to_regclass(%s)", [f"events_{old:%Y%m%d}"]).fetchone() == (None,)
    database.execute(SHRINK)
    assert run_command("migrate", database_url=database_url, redis_url="redis://x", secret_key="s" * 32).exit_code == 0
    assert database.execute("SELECT events, latency_ms_max FROM analytics.prompts_daily").fetchall() == [(2, 7)]
