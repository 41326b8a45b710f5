"""PostgreSQL connections and pools, and the only place that catches psycopg errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import psycopg_pool

from app.core.errors import AlreadyExists, DatabaseTooSlow, DatabaseUnavailable, PartitionMissing, RejectedByDatabase

Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]
Cursor = psycopg.Cursor[Row]
ConnectionPool = psycopg_pool.ConnectionPool[Connection]

CONNECT_TIMEOUT_SECONDS = 3

# SQLSTATE classes in which PostgreSQL refuses the data itself: data exception, integrity constraint, program limit.
_REJECTED_CLASSES = ("22", "23", "54")


def connect(url: str, *, application_name: str, statement_timeout_ms: int, lock_timeout_ms: int = 5_000) -> Connection:
    """One connection in autocommit mode: every transaction is opened in the open, with `connection.transaction()`.

    Raises psycopg errors: call it inside `database_errors`.
    """
    return psycopg.connect(url, **_connection_options(application_name, statement_timeout_ms, lock_timeout_ms))


def open_pool(url: str, *, application_name: str, size: int, statement_timeout_ms: int = 5_000) -> ConnectionPool:
    """A pool that connects in the background; open it after the fork, never before.

    Getting a connection waits at most 2 s, so a stopped PostgreSQL is a quick 503 and not a hanging request.
    """
    return psycopg_pool.ConnectionPool(
        url,
        kwargs=_connection_options(application_name, statement_timeout_ms, lock_timeout_ms=statement_timeout_ms),
        min_size=0,
        max_size=size,
        timeout=2.0,
        reconnect_timeout=2.0,
        max_idle=60.0,
        check=psycopg_pool.ConnectionPool.check_connection,
        open=True,
    )


@contextmanager
def database_errors() -> Iterator[None]:
    """Translate psycopg errors: refused data is RejectedByDatabase, all else DatabaseUnavailable.

    The messages never hold a value of the data: only the SQLSTATE and PostgreSQL's primary message of errors
    that do not quote their input.
    """
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise AlreadyExists(error.diag.constraint_name or "unique constraint") from error
    except psycopg.errors.CheckViolation as error:
        # PostgreSQL names a constraint unless it was the partitioning that found no place for the row.
        if error.diag.constraint_name is None:
            raise PartitionMissing("no partition for a row") from error
        raise RejectedByDatabase(f"{type(error).__name__} (SQLSTATE {error.sqlstate})") from error
    except psycopg.errors.QueryCanceled as error:
        raise DatabaseTooSlow("a statement ran into its timeout") from error
    except psycopg_pool.PoolTimeout as error:
        raise DatabaseUnavailable("no connection within the pool's timeout") from error
    except psycopg.Error as error:
        name = type(error).__name__
        if error.sqlstate is None and isinstance(error, psycopg.DataError):
            raise RejectedByDatabase(name) from error
        if error.sqlstate is not None and error.sqlstate[:2] in _REJECTED_CLASSES:
            raise RejectedByDatabase(f"{name} (SQLSTATE {error.sqlstate})") from error
        raise DatabaseUnavailable(f"{name} (SQLSTATE {error.sqlstate})") from error


def _connection_options(application_name: str, statement_timeout_ms: int, lock_timeout_ms: int) -> dict[str, Any]:
    return {
        "application_name": application_name,
        "autocommit": True,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "keepalives_idle": 10,
        "tcp_user_timeout": 10_000,
        "options": (
            f"-c statement_timeout={statement_timeout_ms} -c lock_timeout={lock_timeout_ms} "
            # synchronous_commit: the buffer forgets an entry once its event is committed, so "committed" must hold.
            "-c idle_in_transaction_session_timeout=30000 -c timezone=UTC -c synchronous_commit=on"
        ),
    }
