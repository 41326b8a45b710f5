"""/healthz and /readyz."""

from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from flask import Blueprint, Response, current_app
from flask.blueprints import BlueprintSetupState

from app.core.operations.readiness import (
    POSTGRESQL_SILENT,
    REDIS_LATE,
    Problems,
    RedisLook,
    check_database,
    look_at_redis,
)
from app.core.operations.redis_settings import RedisSettings, acknowledgement_meaning
from app.core.operations.replica import Standing
from app.core.runbook import document_path, runbook_path
from app.web.access import public
from app.web.envelope import Detail
from app.web.errors import ApiError
from app.web.json_response import success
from app.web.services import services
from app.web.single_flight import SingleFlight

RETRY_AFTER_SECONDS = 5
STATES = {"right": "right", "wrong": "wrong", "unseen": "cannot be seen here"}

_EXTENSION = "prompt_analytics.readiness"

blueprint = Blueprint("health", __name__)


class _Flights(NamedTuple):
    """One for each server, so that one that hangs does not hide the other."""

    redis: SingleFlight[RedisLook]
    database: SingleFlight[Problems]


@blueprint.record
def _prepare(state: BlueprintSetupState) -> None:
    state.app.extensions[_EXTENSION] = _Flights(SingleFlight(), SingleFlight())


@blueprint.get("/healthz")
@public("load balancers ask it; it says only that the process is up")
def healthz() -> Response:
    return success({"status": "up"})


@blueprint.get("/readyz")
@public("load balancers ask it; its answer is at most a second old, so it cannot be used to burden the servers")
def readyz() -> Response:
    """Events flow, as of at most a second ago; else a 503 whose details name each failing check and what to do.

    Each leads to its entry of the runbook; by its path alone where PUBLIC_URL is not set.
    """
    look = redis_look()
    problems = look.problems | _database_problems()
    public_url = services().settings.public_url or ""
    details = [
        Detail(field=name, message=f"{problem} ({public_url}{runbook_path(name)})")
        for name, problem in problems.items()
        if problem
    ]
    if details:
        raise ApiError(
            503,
            "UNAVAILABLE",
            "Events do not flow; see details.",
            details=details,
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )
    replica = services().replica
    told = {} if replica is None else {"replica": _told_of_replica(replica.standing())}
    return success({"checks": dict.fromkeys(problems, "ok"), "redis": _told_of(look.settings, public_url), **told})


def _told_of_replica(standing: Standing) -> dict[str, object]:
    """No check: without its replica the service reads from the primary."""
    return {"state": standing.state, "lag_seconds": standing.lag_seconds, "as_of": standing.as_of}


def _told_of(settings: RedisSettings | None, public_url: str) -> dict[str, Any] | None:
    """Without the values, which are nobody's business; what cannot be seen with how to find out."""
    if settings is None:
        return None
    told = {}
    for name, setting in settings.items():
        told[name] = {"state": STATES[setting.state]}
        if setting.state == "unseen":
            told[name]["advice"] = f"{setting.advice} ({public_url}{document_path('managed-redis')})"
    return {"a_204_means": acknowledgement_meaning(settings), "settings": told}


def current_problems() -> Problems:
    """What keeps events from flowing, as of at most a second ago, whatever is down."""
    return redis_look().problems | _database_problems()


def redis_look() -> RedisLook:
    """What Redis tells, as of at most a second ago."""
    at_work = services()
    max_events = at_work.settings.buffer_max_events
    return _flights().redis.result(
        lambda: look_at_redis(at_work.redis, at_work.buffer, buffer_max_events=max_events), if_late=REDIS_LATE
    )


def _database_problems() -> Problems:
    pool = services().database
    return _flights().database.result(
        lambda: check_database(pool, datetime.now(UTC)), if_late={"postgresql": POSTGRESQL_SILENT}
    )


def _flights() -> _Flights:
    return cast(_Flights, current_app.extensions[_EXTENSION])
