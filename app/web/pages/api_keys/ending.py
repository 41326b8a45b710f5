"""What the header of every page tells admins: how many keys of their project end soon."""

import math
import time
from datetime import UTC, datetime

from flask import current_app

from app.core import database
from app.core.errors import DatabaseUnavailable
from app.core.keys.lifecycle import ENDS_SOON
from app.core.queries.key_facts import count_keys_ending
from app.web.request_context import context
from app.web.services import services

PATIENCE_SECONDS = 1.0
ASK_AGAIN_SECONDS = 10.0

_EXTENSION = "prompt_analytics.keys_ending"


def keys_ending_soon() -> int:
    """Of the project of the page at hand, for its admins; 0 for everybody else, and where PostgreSQL cannot tell.

    A page that can do without PostgreSQL waits for it a moment, and in an outage all the others do not.
    """
    seen_by = context().visitor
    if seen_by is None or seen_by.project is None or seen_by.role != "admin":
        return 0
    now, project_id = datetime.now(UTC), seen_by.project.project_id
    if time.monotonic() < current_app.extensions.get(_EXTENSION, -math.inf):
        return 0
    try:
        return database.run(
            services().database,
            lambda connection: count_keys_ending(connection, project_id, now=now, until=now + ENDS_SOON),
            deadline_seconds=PATIENCE_SECONDS,
            wait_seconds=PATIENCE_SECONDS,
        )
    except DatabaseUnavailable:
        current_app.extensions[_EXTENSION] = time.monotonic() + ASK_AGAIN_SECONDS
        return 0
