"""Folding what is stored, as a worker does when it is time."""

from datetime import timedelta

from app.core.database import Connection
from app.core.queries.additions import select_projects_to_fold
from worker.fold import fold_project


def fold_all(connection: Connection) -> None:
    """Nothing of any project is left to fold, unless somebody else is at it or adds more."""
    for project_id in select_projects_to_fold(connection, after=timedelta(0), above_rows=0):
        while not fold_project(connection, project_id):
            pass
