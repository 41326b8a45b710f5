"""Advisory locks that one connection keeps over several transactions, where one process at a time is to do a thing.

They end with the connection at the latest. Through a pooler there are none: PoolerInTheWay.
"""

from app.core.database import Connection
from app.core.errors import PoolerInTheWay
from app.core.pooled_connection import need_session
from app.core.queries.rows import one_value


def try_session_lock(connection: Connection, key: int) -> bool:
    """Take the lock if it is free."""
    need_session(connection)
    return bool(one_value(connection, "SELECT pg_try_advisory_lock(%(key)s)", {"key": key}))


def wait_for_session_lock(connection: Connection, key: int, second_key: int | None = None) -> None:
    """Take the lock when it is free. With a second key it is another one than that of the first alone."""
    need_session(connection)
    sql = "SELECT pg_advisory_lock(%(key)s)" if second_key is None else "SELECT pg_advisory_lock(%(key)s, %(second)s)"
    connection.execute(sql, {"key": key, "second": second_key})


def release_session_lock(connection: Connection, key: int, second_key: int | None = None) -> None:
    """Raises PoolerInTheWay where another session has it: then there is a pooler that did not show itself."""
    one = "SELECT pg_advisory_unlock(%(key)s)"
    two = "SELECT pg_advisory_unlock(%(key)s, %(second)s)"
    if not one_value(connection, one if second_key is None else two, {"key": key, "second": second_key}):
        raise PoolerInTheWay(
            "a lock was lost between two transactions, as behind a pooler: set DATABASE_DIRECT_URL to PostgreSQL itself"
        )
