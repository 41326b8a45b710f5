"""The role pa_reader, on a server where the migrating user may not make roles, as on most that are managed."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from app.core.database import Connection
from app.core.migrations import migrate
from app.local.children import REPOSITORY, Guard
from app.local.postgres import RunningPostgres, start_postgres
from tests.commands import run_command
from tests.databases import new_database
from tests.drains import open_connection
from tests.sign_in import create_project
from tests.stored_events import an_event, store_events

VIEWS = ("prompts_daily", "versions_hourly", "raw_events")
PASSWORD = "of-a-sign-in"
SELECT_RELATIONS = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S') AND NOT relispartition
"""


@pytest.fixture(scope="module")
def server(server_folder: Path, guard: Guard, wheels_only: bool) -> Iterator[RunningPostgres]:
    server = start_postgres(server_folder / "reader-postgres", guard, durable=False, wheels_only=wheels_only)
    yield server
    server.stop()


def as_user(url: str, user: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{PASSWORD}@{parts.hostname}:{parts.port}"))


@pytest.fixture
def admin(server: RunningPostgres) -> Iterator[Connection]:
    """Of a new database, which belongs to the user `plain`, who may make no roles; there is no role pa_reader yet."""
    with psycopg.connect(server.url, autocommit=True) as root:
        root.execute(f"CREATE ROLE plain LOGIN PASSWORD '{PASSWORD}' NOCREATEROLE".encode())
        with new_database(server.url) as url, psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("ALTER DATABASE {} OWNER TO plain").format(sql.Identifier(connection.info.dbname))
            )
            yield connection
        root.execute("DROP ROLE IF EXISTS tool, demo_tool, demo_reader, pa_reader, plain")


@pytest.fixture
def empty_url(server: RunningPostgres, admin: Connection) -> str:
    """Of the database, for the user who owns it."""
    url = as_user(server.url, "plain")
    return urlunsplit(urlsplit(url)._replace(path=f"/{admin.info.dbname}"))


@pytest.fixture
def plain_url(empty_url: str) -> str:
    """The same when it is migrated."""
    migrate(empty_url)
    return empty_url


def command(name: str, url: str) -> tuple[int, str]:
    done = run_command(name, database_url=url, redis_url="redis://127.0.0.1:1", secret_key="s" * 32)
    return done.exit_code, done.output


def reader(url: str) -> tuple[int, str]:
    return command("reader", url)


def test_without_the_right_to_make_roles_all_migrates_and_the_command_says_what_to_run(
    admin: Connection, plain_url: str
) -> None:
    assert admin.execute("SELECT to_regrole('pa_reader')").fetchone() == (None,)
    code, said = reader(plain_url)
    assert code == 1
    assert "CREATE ROLE pa_reader NOLOGIN;" in said
    admin.execute("CREATE ROLE pa_reader NOLOGIN")
    for _ in range(2):
        code, said = reader(plain_url)
        assert code == 0
        assert "analytics.prompts_daily, analytics.raw_events, analytics.versions_hourly, and no table" in said


def test_a_sign_in_reads_the_views_and_nothing_else(admin: Connection, plain_url: str) -> None:
    admin.execute(
        f"CREATE ROLE pa_reader NOLOGIN; CREATE ROLE tool LOGIN PASSWORD '{PASSWORD}' IN ROLE pa_reader".encode()
    )
    assert reader(plain_url)[0] == 0
    store_events(plain_url, [an_event(create_project(plain_url, "demo"), cost_usd="1")])
    relations = [name for (name,) in admin.execute(SELECT_RELATIONS).fetchall()]
    assert {"api_keys", "users", "sessions", "events", "rollups", "rollup_additions", "webhooks"} <= set(relations)
    with open_connection(as_user(plain_url, "tool")) as tool:
        for view in VIEWS:
            name = sql.Identifier("analytics", view)
            assert tool.execute(sql.SQL("SELECT * FROM {}").format(name)).fetchall()
            with pytest.raises(psycopg.Error):
                tool.execute(sql.SQL("DELETE FROM {}").format(name))
        for name in relations:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                tool.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("public", name)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            tool.execute("CREATE TABLE analytics.mine (id integer)")


def test_the_command_tells_of_rights_that_somebody_granted_besides(admin: Connection, plain_url: str) -> None:
    admin.execute("CREATE ROLE pa_reader NOLOGIN; GRANT SELECT (email) ON users TO pa_reader")
    code, said = reader(plain_url)
    assert code == 1
    assert "can read more than the views, because somebody granted it: users" in said


def test_who_may_make_roles_gets_it_with_the_migration(server: RunningPostgres, admin: Connection) -> None:
    with new_database(server.url) as url:
        migrate(url)
        assert admin.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'pa_reader'").fetchone() == (False,)
        assert reader(url)[0] == 0
        with new_database(server.url) as second:
            migrate(second)
            assert reader(second)[0] == 0


def test_who_may_make_no_schema_is_told_what_an_administrator_has_to_run(admin: Connection, empty_url: str) -> None:
    name = sql.Identifier(admin.info.dbname)
    admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(name))
    admin.execute("GRANT CREATE ON SCHEMA public TO plain")
    code, said = command("migrate", empty_url)
    assert code == 1
    (create,) = re.findall(r"run (CREATE SCHEMA .+) and migrate again", said)
    admin.execute(create.encode())
    assert command("migrate", empty_url)[0] == 0
    assert reader(empty_url)[0] == 1
    admin.execute("CREATE ROLE pa_reader NOLOGIN")
    assert reader(empty_url)[0] == 0


def test_a_schema_of_that_name_keeps_what_is_in_it_to_itself(admin: Connection, empty_url: str) -> None:
    """Also where nobody may call functions unless it was granted."""
    admin.execute(
        f"CREATE ROLE pa_reader NOLOGIN; CREATE ROLE tool LOGIN PASSWORD '{PASSWORD}' IN ROLE pa_reader".encode()
    )
    admin.execute("ALTER DEFAULT PRIVILEGES FOR ROLE plain REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
    with open_connection(empty_url) as owner:
        owner.execute("CREATE SCHEMA analytics")
        owner.execute("CREATE TABLE analytics.salaries (usd integer)")
    migrate(empty_url)
    assert reader(empty_url)[0] == 0
    store_events(empty_url, [an_event(create_project(empty_url, "demo"), latency_ms="5")])
    with open_connection(as_user(empty_url, "tool")) as tool:
        assert tool.execute("SELECT latency_ms_p50 FROM analytics.prompts_daily").fetchall() == [(5.0,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            tool.execute("SELECT usd FROM analytics.salaries")


LEAK = """
CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$
"""


def test_a_view_of_one_project_shows_no_other_not_even_to_functions_of_its_reader(
    admin: Connection, plain_url: str
) -> None:
    for project in ("demo", "secret"):
        store_events(plain_url, [an_event(create_project(plain_url, project))])
    document = (REPOSITORY / "docs" / "grafana-and-sql.md").read_text()
    (example,) = [each for each in document.split("```") if each.startswith("sql\nCREATE SCHEMA reports")]
    admin.execute(example.removeprefix("sql\n").encode())
    admin.execute(f"CREATE ROLE demo_tool LOGIN PASSWORD '{PASSWORD}' IN ROLE demo_reader".encode())
    with open_connection(as_user(plain_url, "demo_tool")) as tool:
        notices: list[str] = []
        tool.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
        tool.execute(LEAK)
        seen = tool.execute("SELECT project FROM reports.demo_daily WHERE pg_temp.leak(project)").fetchall()
        assert seen == [("demo",)]
        assert set(notices) == {"seen demo"}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            tool.execute("SELECT * FROM analytics.prompts_daily")
