"""/healthz and /readyz."""

from datetime import UTC, datetime
from typing import cast

from flask import Blueprint, Response, current_app
from flask.blueprints import BlueprintSetupState

from app.core.operations.readiness import POSTGRESQL_SILENT, REDIS_SILENT, Problems, check_database, check_redis
from app.core.operations.replica import Standing
from app.core.runbook import runbook_path
from app.web.access import public
from app.web.envelope import Detail
from app.web.errors import ApiError
from app.web.json_response import success
from app.web.services import services
from app.web.single_flight import PerServer

RETRY_AFTER_SECONDS = 5

_EXTENSION = "prompt_analytics.readiness"

blueprint = Blueprint("health", __name__)


@blueprint.record
def _prepare(state: BlueprintSetupState) -> None:
    state.app.extensions[_EXTENSION] = PerServer[Problems]()


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
    problems = current_problems()
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
    told = {} if replica is None else {"replica": _told(replica.standing())}
    return success({"checks": dict.fromkeys(problems, "ok"), **told})


def _told(standing: Standing) -> dict[str, object]:
    """No check: without its replica the service reads from the primary."""
    return {"state": standing.state, "lag_seconds": standing.lag_seconds, "as_of": standing.as_of}


def current_problems() -> Problems:
    """What keeps events from flowing, as of at most a second ago, whatever is down."""
    checks = cast(PerServer[Problems], current_app.extensions[_EXTENSION])
    at_work = services()
    max_events = at_work.settings.buffer_max_events
    in_redis = checks.redis.result(
        lambda: check_redis(at_work.redis, at_work.buffer, buffer_max_events=max_events),
        if_late={"redis": REDIS_SILENT},
    )
    in_database = checks.database.result(
        lambda: check_database(at_work.database, datetime.now(UTC)), if_late={"postgresql": POSTGRESQL_SILENT}
    )
    return in_redis | in_database
