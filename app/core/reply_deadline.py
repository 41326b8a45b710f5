"""Connections to PostgreSQL that wait for no reply for ever.

PostgreSQL ends a statement at its own timeout, and TCP finds out about a machine that has died. But what stands between
may lose a reply and keep both ends alive: then a worker would wait, and its transaction hold its locks, until
somebody ends it; in a COPY, which PostgreSQL's timeouts do not reach, for ever.
"""

import functools
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

GRACE_SECONDS = 20.0
"""How long after its own deadline a statement's reply may come, on a busy machine and a slow network."""

_T = TypeVar("_T")


@functools.cache
def impatient_connection(wait_seconds: float) -> type[psycopg.Connection[tuple[Any, ...]]]:
    """A class of connections that close themselves, and raise OperationalError, after so long without a reply."""

    class ImpatientConnection(psycopg.Connection[tuple[Any, ...]]):
        def wait(self, gen: Generator[Any, Any, _T], interval: float = 0.1, timeout: float | None = None) -> _T:
            if timeout is not None:
                return super().wait(gen, interval, timeout)
            try:
                return super().wait(gen, interval, wait_seconds)
            except psycopg.errors._WaitTimeout:  # noqa: SLF001 (what psycopg's wait says that it raises)
                self.close()
                raise psycopg.OperationalError("no reply in time") from None

    return ImpatientConnection
