"""How pages ask PostgreSQL."""

from collections.abc import Callable
from typing import TypeVar

from app.core import background
from app.core.database import Connection, database_errors
from app.web.services import services

ANSWER_SECONDS = 5.0

_T = TypeVar("_T")


def ask(work: Callable[[Connection], _T]) -> _T:
    """What `work` makes of a connection from the pool, in another thread, which knows nothing of the request.

    Raises what it raises, psycopg's errors as core's, and DatabaseUnavailable no later than after ANSWER_SECONDS.
    """
    pool = services().database

    def work_connected() -> _T:
        with database_errors(), pool.connection() as connection:
            return work(connection)

    return background.database_answer(background.begin(work_connected), deadline_seconds=ANSWER_SECONDS)
