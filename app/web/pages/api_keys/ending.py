"""What the header of every page but errors tells admins: how many keys of their project end soon."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

from flask import Flask, current_app

from app.core import database
from app.core.errors import DatabaseUnavailable
from app.core.keys.lifecycle import ENDS_SOON
from app.core.queries.key_facts import count_keys_ending
from app.web.request_context import context
from app.web.services import services

PATIENCE_SECONDS = 1.0
ASK_AGAIN_SECONDS = 10.0
MAX_PROJECTS = 10_000

_EXTENSION = "prompt_analytics.keys_ending"


class KeysEnding:
    """What was told of projects in the last ASK_AGAIN_SECONDS; one in each process."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._away_until = -math.inf
        self._told: dict[int, tuple[int, float]] = {}

    def of(self, project_id: int, ask: Callable[[], int]) -> int:
        """What `ask` tells, or told a moment ago; 0 where PostgreSQL cannot, which holds for all projects a while."""
        now = self._monotonic()
        count, until = self._told.get(project_id, (0, -math.inf))
        if now < until:
            return count
        if now < self._away_until:
            return 0
        try:
            count = ask()
        except DatabaseUnavailable:
            self._away_until = self._monotonic() + ASK_AGAIN_SECONDS
            return 0
        if len(self._told) >= MAX_PROJECTS:
            self._told.clear()
        self._told[project_id] = (count, now + ASK_AGAIN_SECONDS)
        return count


def register_keys_ending(app: Flask) -> None:
    app.extensions[_EXTENSION] = KeysEnding()
    app.jinja_env.globals["keys_ending_soon"] = keys_ending_soon


def keys_ending_soon() -> int:
    """Of the project of the page at hand, for its admins; 0 for everybody else, and where PostgreSQL cannot tell.

    A page that can do without PostgreSQL waits for it a moment, and in an outage all the others do not.
    """
    seen_by = context().visitor
    if seen_by is None or seen_by.project is None or seen_by.role != "admin":
        return 0
    project_id, pool = seen_by.project.project_id, services().database

    def ask() -> int:
        now = datetime.now(UTC)
        return database.run(
            pool,
            lambda connection: count_keys_ending(connection, project_id, now=now, until=now + ENDS_SOON),
            deadline_seconds=PATIENCE_SECONDS,
            wait_seconds=PATIENCE_SECONDS,
        )

    return cast(KeysEnding, current_app.extensions[_EXTENSION]).of(project_id, ask)
