"""Folding what is stored, as a worker does when it is time."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

from app.core.database import Connection
from app.core.queries.additions import select_projects_to_fold
from app.core.queries.rollups import merge_rollups
from tests.crashing_buffer import die
from worker.fold import fold_project

FOLD_CRASHES = ("before the rollups of a fold", "before COMMIT of a fold")


def fold_all(connection: Connection, *, max_minutes: int = 1_000) -> None:
    """Nothing of any project is left to fold, unless somebody else is at it or adds more."""
    for project_id in select_projects_to_fold(connection, after=timedelta(0), above_rows=0):
        while not fold_project(connection, project_id, max_minutes=max_minutes):
            pass


def fold_and_crash(connection: Connection, crash: str) -> None:
    """Raises Crash at the named place, where there is something to fold and a place is named."""

    def merge_and_die(*arguments: Any) -> None:
        if crash == FOLD_CRASHES[1]:
            merge_rollups(*arguments)
        die()

    with patch("worker.fold.merge_rollups", merge_and_die if crash else merge_rollups):
        fold_all(connection)
