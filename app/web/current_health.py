"""The health that every page shows: asked for in the background, remembered for seconds, and never waited for long."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from flask import Flask, current_app

from app.core.operations.health import (
    DATABASE_LATE,
    REDIS_LATE,
    DatabaseHealth,
    Health,
    RedisHealth,
    database_health,
    health_of,
    redis_health,
)
from app.web.services import services
from app.web.single_flight import SingleFlight

REDIS_SECONDS = 2.0
DATABASE_SECONDS = 5.0
"""So long each process keeps what a server told."""
DEADLINE_SECONDS = 1.0
USABLE_SECONDS = 10.0
HURRY_SECONDS = 0.25
"""A busy server is not a broken one: what it told in the last ten seconds counts where it takes longer than that."""
AWAY_SECONDS = 60.0
"""So long after it was found away, a PostgreSQL that is late again is taken to be away still."""

_EXTENSION = "prompt_analytics.health"


@dataclass(slots=True)
class _Outage:
    """When PostgreSQL was last found away, by `monotonic`; one in each process."""

    monotonic: Callable[[], float] = time.monotonic
    found_at: float = -math.inf

    def note(self) -> None:
        self.found_at = self.monotonic()

    def is_recent(self) -> bool:
        return self.monotonic() - self.found_at < AWAY_SECONDS


class _Flights(NamedTuple):
    redis: SingleFlight[RedisHealth]
    database: SingleFlight[DatabaseHealth]
    outage: _Outage


def register_current_health(app: Flask) -> None:
    app.extensions[_EXTENSION] = _Flights(_flight(REDIS_SECONDS), _flight(DATABASE_SECONDS), _Outage())


def _flight(max_age_seconds: float) -> SingleFlight[Any]:
    return SingleFlight(
        max_age_seconds=max_age_seconds,
        deadline_seconds=DEADLINE_SECONDS,
        usable_seconds=USABLE_SECONDS,
        hurry_seconds=HURRY_SECONDS,
    )


def health_without_database() -> Health:
    """The health of a moment in which PostgreSQL did not answer, whatever it told before."""
    return health_of(_in_redis(), DATABASE_LATE, project_id=None, sees_all=False)


def note_database_away() -> None:
    """Somebody has waited for PostgreSQL in vain."""
    _flights().outage.note()


def database_is_known_to_be_away() -> bool:
    """Whether PostgreSQL was found away a moment ago: whoever can do without need not wait for it.

    Who comes to a server that is late waits for it, unless it was away before.
    """
    found = _in_database()
    if found is DATABASE_LATE:
        return _flights().outage.is_recent()
    if found.problems.get("postgresql") is None:
        return False
    note_database_away()
    return True


def current_health(*, project_id: int | None, sees_all: bool) -> Health:
    """As `health_of`, for who sees the dead letters of this project, or all. Raises nothing that a server causes.

    What came before `waiting.since` was stored when this returns: read the numbers of a page after it.
    """
    in_redis = _in_redis()
    return health_of(in_redis, _in_database(), project_id=project_id, sees_all=sees_all)


def _in_database() -> DatabaseHealth:
    pool = services().database
    return _flights().database.result(lambda: database_health(pool, datetime.now(UTC)), if_late=DATABASE_LATE)


def _in_redis() -> RedisHealth:
    at_work = services()
    max_events = at_work.settings.buffer_max_events
    return _flights().redis.result(
        lambda: redis_health(at_work.redis, at_work.buffer, datetime.now(UTC), buffer_max_events=max_events),
        if_late=REDIS_LATE,
    )


def _flights() -> _Flights:
    return cast(_Flights, current_app.extensions[_EXTENSION])
