"""Connections to PostgreSQL that hold what they set, also through a pooler in transaction mode such as PgBouncer.

A pooler hands each transaction to another server connection, so nothing belongs to a session: what one sets, locks or
prepares there may hold for somebody else. It refuses the start-up options by which a connection otherwise gets its
timeouts, or ignores them. Such a connection sends its settings with each transaction, in one pipeline with what begins
it, or with the statement that is a transaction of its own: that costs no round trip.
"""

import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, LiteralString, Self

import psycopg
from psycopg import Transaction
from psycopg.pq import PipelineStatus, TransactionStatus

from app.core.errors import PoolerInTheWay
from app.core.reply_deadline import impatient_connection

SessionSettings = tuple[tuple[LiteralString, LiteralString | int], ...]
"""Names of PostgreSQL's settings, each with its value."""

# Whether start-up options came through is seen by one that nobody else sets.
MARK = "prompt_analytics.session"
REFUSALS = ("startup parameter", "command-line options")
"""What PgBouncer and RDS Proxy say of start-up options."""

_behind_poolers: set[str] = set()
"""The URLs of this process behind which a pooler was found; nobody tries there again."""


class SettledConnection(psycopg.Connection[tuple[Any, ...]]):
    """Its settings hold for whatever is executed on it."""

    settings: SessionSettings = ()
    is_pooled = False
    """Whether there is a pooler between, so that nothing outlives a transaction."""

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Self:
        """As psycopg's own, whose errors it raises; one try more where a pooler refuses or ignores the settings."""
        if conninfo not in _behind_poolers:
            connection = cls._connect_directly(conninfo, options)
            if connection is not None:
                return connection
            _behind_poolers.add(conninfo)
        # Empty options are not sent. A pooler older than PgBouncer 1.21 loses statements that were prepared.
        connection = super().connect(conninfo, **{**options, "options": "", "prepare_threshold": None})
        # The one setting that PgBouncer itself keeps for each client, and psycopg goes by when it reads rows: by then
        # those of a transaction have gone.
        connection.execute("SET timezone TO 'UTC'")
        connection.is_pooled = True
        connection.cursor_factory = PooledCursor
        return connection

    @classmethod
    def _connect_directly(cls, conninfo: str, options: dict[str, Any]) -> Self | None:
        """None where a pooler stands between."""
        settings = " ".join(f"-c {name}={value}" for name, value in (*cls.settings, (MARK, "on")))
        try:
            connection = super().connect(conninfo, **{**options, "options": settings})
        except psycopg.OperationalError as error:
            if any(refusal in str(error) for refusal in REFUSALS):
                return None
            raise
        with connection.cursor() as cursor:
            mark = cursor.execute("SELECT current_setting(%s, true)", (MARK,)).fetchone()
        if mark == ("on",):
            return connection
        connection.close()
        return None

    @contextmanager
    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Iterator[Transaction]:  # noqa: FBT001, FBT002 - as psycopg's own
        """As psycopg's own."""
        if not self.is_alone():
            with super().transaction(savepoint_name, force_rollback) as transaction:
                yield transaction
            return
        transaction = Transaction(self, savepoint_name, force_rollback)
        with ExitStack() as until_the_end:
            with self.pipeline(), psycopg.Cursor(self) as cursor:
                until_the_end.enter_context(transaction)
                # No SELECT: it would take the snapshot before the transaction has said which isolation it wants.
                for name, value in self.settings:
                    cursor.execute(f"SET LOCAL {name} = '{value}'")
            yield transaction

    def is_alone(self) -> bool:
        """Whether what comes next is sent without the settings unless they go with it."""
        return (
            self.is_pooled
            and self.pgconn.transaction_status == TransactionStatus.IDLE
            and self.pgconn.pipeline_status == PipelineStatus.OFF
        )

    @functools.cached_property
    def set_locally(self) -> LiteralString:
        """A statement that sets all of it until the end of the transaction, which a SET could not in a pipeline."""
        calls = (f"set_config('{name}', '{value}', true)" for name, value in self.settings)
        return f"SELECT {', '.join(calls)}"


class PooledCursor(psycopg.Cursor[Any]):
    """A statement outside of a transaction goes in a pipeline behind the settings: until its end is one transaction."""

    def execute(
        self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        """As psycopg's own."""
        connection = self.connection
        assert isinstance(connection, SettledConnection)
        if query == "" or not connection.is_alone():
            return super().execute(query, params, prepare=prepare, binary=binary)
        with connection.pipeline(), psycopg.Cursor(connection) as settings:
            settings.execute(connection.set_locally)
            return super().execute(query, params, prepare=prepare, binary=binary)


def expect_pooler(url: str) -> None:
    """Take it as known that there is one: some let start-up options through, and do not show themselves."""
    _behind_poolers.add(url)


def is_pooled(connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
    """Whether it leads through a pooler, so that nothing that it sets, locks or makes outlives a transaction."""
    return isinstance(connection, SettledConnection) and connection.is_pooled


def need_session(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Raises PoolerInTheWay where a lock, a cursor or a table of this connection's own would not stay its own."""
    if is_pooled(connection):
        raise PoolerInTheWay(
            "this connection leads through a pooler (PgBouncer), which keeps nothing from one transaction to the next: "
            "set DATABASE_DIRECT_URL to PostgreSQL itself"
        )


def at_commit(connection: psycopg.Connection[tuple[Any, ...]]) -> LiteralString:
    """What becomes of a temporary table: emptied, for it belongs to the connection; through a pooler nobody's, dropped.

    There it would meet another release, which thinks of other columns.
    """
    return "ON COMMIT DROP" if is_pooled(connection) else "ON COMMIT DELETE ROWS"


@functools.cache
def settled_connection(settings: SessionSettings, wait_seconds: float | None) -> type[SettledConnection]:
    """A class of connections with these settings, which wait for no reply longer than so long (None: for ever)."""
    name = "Connection"
    bases = (SettledConnection,) if wait_seconds is None else (SettledConnection, impatient_connection(wait_seconds))
    return type(name, bases, {"settings": settings})
