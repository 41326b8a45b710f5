"""What a connection promises holds through a pooler that hands each transaction to another server connection."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from app.core.database import Connection, ConnectionPool, connect, connected, connection_from, database_errors, run
from app.core.errors import DatabaseTooSlow, DatabaseUnavailable, PoolerInTheWay
from app.core.pooled_connection import is_pooled
from app.core.queries.events import create_incoming_events
from app.core.queries.rollups import create_incoming_rollups
from app.core.queries.session_locks import release_session_lock, try_session_lock
from app.local.children import Guard
from tests.pgbouncer import POOL_SIZE, RunningPgBouncer
from tests.waiting import wait_until

SETTINGS = {
    "statement_timeout": "5s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "TimeZone": "UTC",
    "synchronous_commit": "on",
    "jit": "off",
}
CURRENT = "SELECT " + ", ".join(f"current_setting('{name}')" for name in SETTINGS)
OTHER_DEFAULTS = (
    *("statement_timeout = '77s'", "lock_timeout = '77s'", "idle_in_transaction_session_timeout = '77s'"),
    *("timezone = 'Asia/Tokyo'", "synchronous_commit = 'off'", "jit = 'on'"),
)


@pytest.fixture
def other_defaults(database_url: str) -> Iterator[None]:
    """The server itself would have it otherwise."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for setting in OTHER_DEFAULTS:
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")
        yield
        connection.execute("ALTER SYSTEM RESET ALL")
        connection.execute("SELECT pg_reload_conf()")


EITHER = {
    "refuses options": "",
    "ignores options": "ignore_startup_parameters = options\n",
    "keeps sessions": "pool_mode = session\n",
}


@pytest.fixture(params=list(EITHER.values()), ids=list(EITHER))
def either(
    request: pytest.FixtureRequest, tmp_path: Path, guard: Guard, database_url: str, other_defaults: None
) -> Iterator[Connection]:
    """Through a PgBouncer as it comes, and through one that was told to ignore what it cannot hold."""
    server = RunningPgBouncer(tmp_path / "pgbouncer", guard, database_url, extra=request.param)
    with connect(server.url, application_name="test", statement_timeout_ms=5_000) as connection:
        yield connection
    server.kill()


def test_its_settings_hold_in_a_statement_of_its_own_and_in_a_transaction(either: Connection) -> None:
    assert is_pooled(either)
    assert either.execute(CURRENT).fetchone() == tuple(SETTINGS.values())
    with either.transaction():
        assert either.execute(CURRENT).fetchone() == tuple(SETTINGS.values())
        with either.transaction():
            assert either.execute(CURRENT).fetchone() == tuple(SETTINGS.values())


def test_times_are_in_utc_whatever_the_server_would_have(either: Connection) -> None:
    """Also of a statement of its own, whose rows are read when its settings have gone."""
    for _ in range(2):
        row = either.execute("SELECT now()").fetchone()
        assert row is not None
        assert row[0].utcoffset() == timedelta(0)
    with either.transaction():
        row = either.execute("SELECT now()").fetchone()
    assert row is not None
    assert row[0].utcoffset() == timedelta(0)


def test_they_are_not_left_behind_for_others(either: Connection, database_url: str) -> None:
    either.execute("SELECT 1")
    with either.transaction():
        either.execute("SELECT 1")
    with psycopg.connect(database_url, port=either.info.port, autocommit=True) as other:
        assert other.execute(CURRENT).fetchone() == ("77s", "77s", "77s", "Asia/Tokyo", "off", "on")


def test_a_statement_that_takes_too_long_is_ended(pgbouncer: RunningPgBouncer) -> None:
    with connected(pgbouncer.url, application_name="test", statement_timeout_ms=50) as connection:
        with pytest.raises(DatabaseTooSlow), database_errors():
            connection.execute("SELECT pg_sleep(30)")
        with pytest.raises(DatabaseTooSlow), database_errors(), connection.transaction():
            connection.execute("SELECT pg_sleep(30)")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_settings_cost_no_round_trip(pooled: Connection, tmp_path: Path) -> None:
    """A server says that it is ready once for each message that it was waited for."""

    def trips(work: Callable[[], object]) -> int:
        trace = tmp_path / "trace"
        with trace.open("w") as file:
            pooled.pgconn.trace(file.fileno())
            work()
            pooled.pgconn.untrace()
        return trace.read_text().count("ReadyForQuery")

    def transaction() -> None:
        with pooled.transaction():
            pooled.execute("SELECT 1")

    assert trips(lambda: pooled.execute("SELECT %s", (1,))) == 1
    assert trips(transaction) == 3


def test_many_who_repeat_their_statements_share_a_few_server_connections(pool: ConnectionPool) -> None:
    """Far more often than psycopg waits before it prepares one."""

    def ask(number: int) -> int:
        def add(connection: Connection) -> int:
            row = connection.execute("SELECT %(number)s::integer + 1", {"number": number}).fetchone()
            assert row is not None
            return int(row[0])

        return run(pool, add, deadline_seconds=30, wait_seconds=30)

    with ThreadPoolExecutor(8) as askers:
        assert list(askers.map(ask, range(300))) == list(range(1, 301))


def test_a_lock_that_needs_a_session_is_refused_with_the_setting_that_helps(pooled: Connection) -> None:
    with pytest.raises(PoolerInTheWay, match="DATABASE_DIRECT_URL"):
        try_session_lock(pooled, 7)


def test_a_lock_that_another_session_holds_shows_a_pooler_that_did_not_show_itself(database_url: str) -> None:
    """As where a pooler hands the next transaction to another connection."""
    with ExitStack() as stack:
        taker, releaser = (
            stack.enter_context(connect(database_url, application_name="test", statement_timeout_ms=5_000))
            for _ in range(2)
        )
        assert try_session_lock(taker, 7)
        with pytest.raises(PoolerInTheWay):
            release_session_lock(releaser, 7)
        release_session_lock(taker, 7)


def test_a_pooler_that_was_killed_is_unavailable_and_then_answers_again(
    pgbouncer: RunningPgBouncer, pool: ConnectionPool
) -> None:
    def answers() -> bool:
        try:
            with connection_from(pool) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except DatabaseUnavailable:
            return False

    assert answers()
    pgbouncer.kill()
    assert not answers()
    pgbouncer.restart()
    wait_until(answers, 20)
    assert pool.max_size > POOL_SIZE


def test_temporary_tables_are_left_behind_for_nobody(pooled: Connection, database_url: str) -> None:
    """The next release to get the server's connection may think of other columns."""
    temporary = "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relname LIKE 'incoming%'"
    with psycopg.connect(database_url, autocommit=True) as other:
        before = other.execute(temporary).fetchone()
        with pooled.transaction():
            create_incoming_events(pooled)
            create_incoming_events(pooled)
            create_incoming_rollups(pooled)
        assert other.execute(temporary).fetchone() == before
