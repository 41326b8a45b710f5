"""The functions that RQ may call. Thin: the worker process says at its start what they do."""

from collections.abc import Callable

from app.core.stream.appending import WAKE_JOB

ALLOWED = frozenset({WAKE_JOB})
"""The dotted names that may come out of the queue."""

_bound: dict[str, Callable[[], None]] = {}


def bind(*, drain: Callable[[], None]) -> None:
    _bound["drain"] = drain


def drain() -> None:
    """Empty the event buffer into PostgreSQL. Raises KeyError outside a worker process."""
    _bound["drain"]()
