"""PostgreSQL connections, work on them, and the only place that catches psycopg errors.

A connection is held inside `connected` or `connection_from`, which translate psycopg's errors into those of
`app.core.errors`: functions that take a connection need not. Who handles an error while holding the connection puts
`database_errors` around the part in question.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
import psycopg_pool

from app.core import background
from app.core.errors import (
    AlreadyExists,
    DatabaseTooSlow,
    DatabaseUnavailable,
    PartitionMissing,
    PromptAnalyticsError,
    RefusedWithoutReason,
    RejectedByDatabase,
    RowsLocked,
    StatementRefused,
)
from app.core.pooled_connection import SessionSettings, SettledConnection, settled_connection
from app.core.reply_deadline import GRACE_SECONDS

Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]
Cursor = psycopg.Cursor[Row]
ConnectionPool = psycopg_pool.ConnectionPool[Connection]

CONNECT_TIMEOUT_SECONDS = 3
POOL_WAIT_SECONDS = 2.0
MAX_INTEGER = 2**31 - 1
MAX_BIGINT = 2**63 - 1
"""The largest ids that columns of these types hold; PostgreSQL takes no parameter beyond them."""

# The default work_mem of 4 MB makes PostgreSQL sort megabytes of histograms on disk where it could hash them.
BEGIN_SNAPSHOT = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL work_mem = '32MB'
"""

_T = TypeVar("_T")

# SQLSTATE classes in which PostgreSQL refuses the data itself: data exception, integrity constraint, program limit.
_REJECTED_CLASSES = ("22", "23", "54")
# Syntax error or access rule violation: a column that is not there, a table that is there already, a missing right.
_REFUSED_CLASS = "42"


def connect(url: str, *, application_name: str, statement_timeout_ms: int, lock_timeout_ms: int = 5_000) -> Connection:
    """One connection in autocommit mode: every transaction is opened in the open, with `connection.transaction()`.

    Raises psycopg's own errors; for libraries that want a connection to keep. Everybody else uses `connected`.
    """
    return _connection_class(statement_timeout_ms, lock_timeout_ms).connect(
        url, **_connection_options(application_name)
    )


@contextmanager
def connected(
    url: str, *, application_name: str, statement_timeout_ms: int, lock_timeout_ms: int = 5_000
) -> Iterator[Connection]:
    """A connection as of `connect`, closed at the end of the block, whose errors leave as core errors."""
    with (
        database_errors(),
        connect(
            url,
            application_name=application_name,
            statement_timeout_ms=statement_timeout_ms,
            lock_timeout_ms=lock_timeout_ms,
        ) as connection,
    ):
        yield connection


def open_pool(
    url: str, *, application_name: str, size: int, statement_timeout_ms: int = 5_000, lock_timeout_ms: int = 5_000
) -> ConnectionPool:
    """A pool that connects in the background; open it after the fork, never before.

    `connection_from` takes connections out of it, and looks whether they are alive: psycopg_pool's own look pauses for
    a second after each that it finds dead, and after a restart of PostgreSQL there may be as many as the pool has.
    """
    return psycopg_pool.ConnectionPool(
        url,
        connection_class=_connection_class(statement_timeout_ms, lock_timeout_ms),
        kwargs=_connection_options(application_name),
        min_size=0,
        max_size=size,
        reconnect_timeout=2.0,
        max_idle=60.0,
        open=True,
    )


@contextmanager
def connection_from(
    pool: ConnectionPool, *, snapshot: bool = False, wait_seconds: float = POOL_WAIT_SECONDS
) -> Iterator[Connection]:
    """A connection of the pool, whose errors leave as core errors.

    With `snapshot` all queries of the block see the same moment, and none can write. Raises DatabaseUnavailable where
    there is no connection within `wait_seconds`: a stopped PostgreSQL is a quick 503.
    """
    with database_errors(), _live_connection(pool, wait_seconds) as connection:
        if not snapshot:
            yield connection
            return
        with connection.transaction():
            connection.execute(BEGIN_SNAPSHOT)
            yield connection


@contextmanager
def _live_connection(pool: ConnectionPool, wait_seconds: float) -> Iterator[Connection]:
    """Raises psycopg_pool.PoolTimeout. One that is found dead goes back, and the pool connects anew in its place."""
    until = time.monotonic() + wait_seconds
    while True:
        connection = pool.getconn(timeout=until - time.monotonic())
        try:
            if _is_alive(connection):
                with connection:
                    yield connection
                return
        finally:
            pool.putconn(connection)


def _is_alive(connection: Connection) -> bool:
    try:
        ConnectionPool.check_connection(connection)
    except psycopg.Error:
        return False
    return True


def run(
    pool: ConnectionPool,
    work: Callable[[Connection], _T],
    *,
    deadline_seconds: float,
    wait_seconds: float = POOL_WAIT_SECONDS,
    snapshot: bool = False,
) -> _T:
    """What `work` makes of a connection of the pool, in another thread.

    Raises what it raises, and as `answer_of` and `connection_from`, which `wait_seconds` and `snapshot` are for.
    """

    def run_connected() -> _T:
        with connection_from(pool, snapshot=snapshot, wait_seconds=wait_seconds) as connection:
            return work(connection)

    return answer_of(background.begin(run_connected), deadline_seconds=deadline_seconds)


def answer_of(work: "Future[_T]", *, deadline_seconds: float) -> _T:
    """What work that has begun makes of PostgreSQL; raises DatabaseUnavailable where it takes too long.

    That is the only deadline that holds against a server that hangs: its connection stays open and silent, and neither
    a pool's timeout nor one that the server keeps itself will end the wait. The work is not stopped then: it keeps its
    thread, and the connection that it has, until PostgreSQL answers or the connection breaks. So the size of the pool
    bounds how many there can be.
    """
    try:
        return work.result(deadline_seconds)
    except TimeoutError as error:
        raise DatabaseUnavailable(f"no answer within {deadline_seconds:g} s") from error


@contextmanager
def database_errors() -> Iterator[None]:
    """Translate psycopg errors: refused data is RejectedByDatabase, all else DatabaseUnavailable or one of its kinds.

    The messages never hold a value of the data: only the SQLSTATE and PostgreSQL's primary message of errors
    that do not quote their input.
    """
    try:
        yield
    except psycopg.Error as error:
        raise _translated(error) from error


def _translated(error: psycopg.Error) -> PromptAnalyticsError:
    described = f"{type(error).__name__} (SQLSTATE {error.sqlstate})"
    match error:
        case psycopg.errors.UniqueViolation():
            translated: PromptAnalyticsError = AlreadyExists(error.diag.constraint_name or "unique constraint")
        # PostgreSQL names a constraint unless it was the partitioning that found no place for the row.
        case psycopg.errors.CheckViolation() if error.diag.constraint_name is None:
            translated = PartitionMissing("no partition for a row")
        case psycopg.errors.LockNotAvailable() | psycopg.errors.DeadlockDetected():
            translated = RowsLocked(f"{described}: somebody else has locked what it needs")
        case psycopg.errors.QueryCanceled():
            translated = DatabaseTooSlow("a statement ran into its timeout")
        case psycopg.errors.InternalError_():
            translated = RefusedWithoutReason(described)
        case psycopg_pool.PoolTimeout():
            translated = DatabaseUnavailable("no connection within the pool's timeout")
        case psycopg.DataError() if error.sqlstate is None:
            translated = RejectedByDatabase(type(error).__name__)
        case _ if error.sqlstate is not None and error.sqlstate[:2] in _REJECTED_CLASSES:
            translated = RejectedByDatabase(described)
        case _ if error.sqlstate is not None and error.sqlstate[:2] == _REFUSED_CLASS:
            translated = StatementRefused(described)
        case _:
            translated = DatabaseUnavailable(described)
    return translated


def _connection_class(statement_timeout_ms: int, lock_timeout_ms: int) -> type[SettledConnection]:
    """Without a timeout for statements (0) there is none for replies either."""
    settings: SessionSettings = (
        ("statement_timeout", statement_timeout_ms),
        ("lock_timeout", lock_timeout_ms),
        ("idle_in_transaction_session_timeout", 30_000),
        ("timezone", "UTC"),
        # The buffer forgets an entry once its event is committed, so "committed" must hold.
        ("synchronous_commit", "on"),
        # PostgreSQL compiles what it takes for costly: 100 ms, for statements that then read 20 rows.
        ("jit", "off"),
    )
    return settled_connection(settings, statement_timeout_ms / 1_000 + GRACE_SECONDS if statement_timeout_ms else None)


def _connection_options(application_name: str) -> dict[str, Any]:
    return {
        "application_name": application_name,
        "autocommit": True,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "keepalives_idle": 10,
        "tcp_user_timeout": 10_000,
    }
