"""/metrics for Prometheus, and what the web processes count.

Under gunicorn every process writes its counters to a file of its own (prometheus_client's multiprocess mode, which
config/gunicorn.py switches on), and whichever process is asked adds up all of them. Elsewhere they are in memory.
"""

import hmac
from collections.abc import Iterable
from http import HTTPStatus
from typing import cast

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app.core.operations import metrics as names
from app.web.access import public
from app.web.errors import ApiError
from app.web.proxies import is_from_this_machine
from app.web.request_context import context
from app.web.server_metrics import check_metrics, database_down, database_metrics, redis_down, redis_metrics
from app.web.services import services
from app.web.single_flight import PerServer

APPEND_BUCKETS_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5)

_EXTENSION = "prompt_analytics.metrics"

blueprint = Blueprint("metrics", __name__)

disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types here
_registry = CollectorRegistry()
_requests = Counter(
    names.REQUESTS, "Answers by endpoint, status and error code.", ("endpoint", "status", "code"), registry=_registry
)
_accepted = Counter(names.EVENTS_ACCEPTED, "Events that the buffer took.", registry=_registry)
_replayed = Counter(names.EVENTS_REPLAYED, "Events answered as repeats by their Idempotency-Key.", registry=_registry)
_append_seconds = Histogram(
    names.APPEND_SECONDS,
    "How long it took to append an event or a batch to the buffer.",
    buckets=APPEND_BUCKETS_SECONDS,
    registry=_registry,
)
_requests_by_answer: dict[tuple[str | None, int, str | None], Counter] = {}


def record_answer(endpoint: str | None, status: int, code: str | None) -> None:
    """Count one answer; `endpoint` is None for a URL that nothing serves, `code` None for no error."""
    answer = (endpoint, status, code)
    counter = _requests_by_answer.get(answer)
    if counter is None:
        # finding a child by its labels takes longer than counting
        counter = _requests_by_answer[answer] = _requests.labels(endpoint or "", status, code or "")
    counter.inc()


def record_accepted(events: int, seconds: float) -> None:
    """Count events that the buffer took at once, and how long that took."""
    _accepted.inc(events)
    _append_seconds.observe(seconds)


def record_replayed(events: int) -> None:
    """Count events that the buffer had before."""
    _replayed.inc(events)


@blueprint.record
def _prepare(state: BlueprintSetupState) -> None:
    state.app.extensions[_EXTENSION] = PerServer[list[Metric]]()


@blueprint.after_app_request
def _record(response: Response) -> Response:
    status = response.status_code
    record_answer(request.endpoint, status, context().error_code if status >= HTTPStatus.BAD_REQUEST else None)
    return response


@blueprint.get("/metrics")
@public("Prometheus scrapes it, with METRICS_TOKEN or from this very machine")
def metrics() -> Response:
    """Counters as of now, and the state of the servers as of at most a second ago; answers whatever is down."""
    _require_token()
    servers = cast(PerServer[list[Metric]], current_app.extensions[_EXTENSION])
    at_work = services()
    scrape = _Scrape(
        servers.redis.result(lambda: redis_metrics(at_work.buffer), if_late=redis_down()),
        servers.database.result(lambda: database_metrics(at_work.database), if_late=database_down()),
        check_metrics(),
    )
    return Response(generate_latest(scrape), content_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Scrape(Collector):
    """All that one scrape answers."""

    def __init__(self, *measured: list[Metric]) -> None:
        self._measured = measured

    def collect(self) -> Iterable[Metric]:
        yield from _counted().collect()
        for metrics in self._measured:
            yield from metrics


def _counted() -> Collector:
    if values.ValueClass is values.MutexValue:
        return _registry
    return MultiProcessCollector(None)  # type: ignore[no-untyped-call]  # the library has no types here


def _require_token() -> None:
    settings = services().settings
    token = settings.metrics_token
    if token is None:
        # with PUBLIC_URL a proxy may be on this machine, and not every one says so
        if settings.public_url is not None or not is_from_this_machine(request.environ):
            raise ApiError(
                403,
                "FORBIDDEN",
                "Without METRICS_TOKEN only this machine itself may ask, and with PUBLIC_URL nobody: set it, and send "
                "it as a bearer token.",
            )
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip(" ").encode(), token.encode()):
        raise ApiError(401, "UNAUTHORIZED", "Send Authorization: Bearer with the value of METRICS_TOKEN.")
