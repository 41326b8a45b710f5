"""Work in threads of its own (under gevent: greenlets), for which nobody has to wait longer than they want to.

That is the only deadline that holds against a server that hangs: its connection stays open and silent, and neither
a pool's timeout nor one that the server keeps itself will end the wait.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from app.core.errors import DatabaseUnavailable

_T = TypeVar("_T")


def begin(work: Callable[[], _T]) -> "Future[_T]":
    """Begin some work. What it raises is in the future: look there, or it is lost."""
    future: Future[_T] = Future()
    threading.Thread(target=_settle, args=(future, work), daemon=True).start()
    return future


def database_answer(work: "Future[_T]", *, deadline_seconds: float) -> _T:
    """What some work makes of PostgreSQL. Raises what it raises, and DatabaseUnavailable where it takes too long.

    It is not stopped then: it keeps its thread, and the connection that it has, until PostgreSQL answers or the
    connection breaks. So the size of the pool bounds how many there can be.
    """
    try:
        return work.result(deadline_seconds)
    except TimeoutError as error:
        raise DatabaseUnavailable(f"no answer within {deadline_seconds:g} s") from error


def _settle(future: "Future[_T]", work: Callable[[], _T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - it is raised again in whoever waits for it
        future.set_exception(error)
