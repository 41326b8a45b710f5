"""The fold: what batches have added to the rollups is merged into their rows, one project and one worker at a time."""

import logging
from collections.abc import Callable
from datetime import timedelta

from app.core.database import Connection, database_errors
from app.core.errors import DatabaseTooSlow, RowsLocked, SetAside
from app.core.queries.additions import select_projects_to_fold, take_additions, try_fold_lock
from app.core.queries.rollups import create_incoming_rollups, merge_rollups
from app.core.rollups.rollup import at_every_level
from app.core.runbook import entry_for

FOLD_AFTER = timedelta(seconds=30)
"""Each fold writes the minute, hour and day of every version that had events: the rarer it is, the less is logged for
an event. What is not folded yet is summed up by every question, so it must stay little."""
FOLD_ABOVE_ROWS = 20_000
"""So many additions of a project are not left to grow older."""
MAX_ROWS = 50_000
MAX_MINUTES = 3_000
"""At most so many additions, and minutes of versions, in one transaction: memory and time stay small."""
FEW_MINUTES = 100
"""Where PostgreSQL is too slow for more."""
MAX_SECONDS = 1.0
"""What is not folded by then waits for the drain."""
LOCK_TIMEOUT_MS = 200
"""Whose rows are locked for longer is put off, and the drain does not wait."""
TRY_AGAIN_SECONDS = 30.0
"""What cannot be folded is left alone for so long: each try may take as long as two statements may."""

log = logging.getLogger(__name__)


def fold(
    connection: Connection,
    put_off: dict[int, float],
    *,
    clock: Callable[[], float],
    should_stop: Callable[[], bool],
) -> bool:
    """Fold the projects for which it is time; False where some of them must wait for the next call.

    A project that cannot be folded now keeps no other from it: `put_off`, which is kept from call to call, says until
    when it is left alone. Raises Unavailable where PostgreSQL is lost. The connection is one in autocommit mode.
    """
    until = clock() + MAX_SECONDS
    with database_errors():
        due = select_projects_to_fold(connection, after=FOLD_AFTER, above_rows=FOLD_ABOVE_ROWS)
    for project_id in due:
        if put_off.get(project_id, 0.0) > clock():
            continue
        is_all: bool | None = False
        while not is_all:
            if should_stop() or clock() >= until:
                return False
            is_all = _fold_or_tell(connection, project_id)
            if is_all is None:
                put_off[project_id] = clock() + TRY_AGAIN_SECONDS
                break
    return True


def _fold_or_tell(connection: Connection, project_id: int) -> bool | None:
    """Whether there is no more of the project to fold now; None where it cannot be folded."""
    for max_minutes in (MAX_MINUTES, FEW_MINUTES):
        try:
            with database_errors():
                return fold_project(connection, project_id, max_minutes=max_minutes)
        except (RowsLocked, DatabaseTooSlow, SetAside) as error:
            log.warning(
                "the additions of a project are not folded yet",
                extra={"project_id": project_id, "reason": str(error), "see": entry_for(error)},
            )
            if not isinstance(error, DatabaseTooSlow):
                break
    return None


def fold_project(
    connection: Connection, project_id: int, *, max_rows: int = MAX_ROWS, max_minutes: int = MAX_MINUTES
) -> bool:
    """Merge a project's additions into its rollups, in one transaction; False where a limit has left some.

    Exactly once, whatever happens: the transaction that adds them to the rollups takes them out of the table. Where
    somebody else is at it, nothing is done.
    """
    with connection.transaction():
        connection.execute("SELECT set_config('lock_timeout', %(ms)s, true)", {"ms": str(LOCK_TIMEOUT_MS)})
        if not try_fold_lock(connection, project_id):
            return True
        taken = take_additions(connection, project_id, max_rows=max_rows, max_minutes=max_minutes)
        if taken.by_minute:
            create_incoming_rollups(connection)
            merge_rollups(connection, at_every_level(taken.by_minute))
    return taken.is_all
