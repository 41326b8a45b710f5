"""`POST /api/v1/prompts/analytics` and its `/batch`: events into the buffer."""

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from werkzeug.datastructures import Headers

from app.core.keys.directory import ApiKey
from app.core.stream.buffer import Appended, Quota
from app.core.stream.events import Event, idempotent_event_id, new_event_id
from app.web.access import requires_ingest_key
from app.web.api.schemas import BatchSchema, EventSchema, decode_json, load
from app.web.body import read_json_body
from app.web.errors import Detail, validation_error
from app.web.fair_lock import Turns
from app.web.metrics import record_append
from app.web.services import services

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

EVENT_LIMIT_BYTES = 16 * 1024
BATCH_LIMIT_BYTES = 1024 * 1024
"""As sent and inflated: JSON of some MiB can be made to fill hundreds when it is read, and to take a second."""
BODY_DEADLINE_SECONDS = 5.0

blueprint = Blueprint("ingest", __name__)

_EVENT = EventSchema()
_BATCH = BatchSchema()
# Reading batches at the same time would make none of them ready sooner, and hold all of them in memory.
_BATCHES = Turns()
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class NoContent(Response):
    """A 204, which has no body and so no type, and no header that WSGI would have to complete."""

    default_status = 204
    default_mimetype = None

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> Headers:  # noqa: ARG002 - Werkzeug's signature
        return self.headers


@blueprint.post("/api/v1/prompts/analytics")
@requires_ingest_key
def log_event(key: ApiKey, quota: Quota) -> Response:
    """Answer 204 only after Redis has the event, or had it before under the same Idempotency-Key.

    When Redis refuses it surely (BufferFull) it was not stored; when Redis does not answer (RedisUnavailable)
    the outcome is unknown, and a retry with the same Idempotency-Key is safe. A worker that could not be woken
    changes nothing: workers also look by themselves.
    """
    body = read_json_body(limit_bytes=EVENT_LIMIT_BYTES, deadline_seconds=BODY_DEADLINE_SECONDS)
    idempotency_key = _idempotency_key()
    return _append([load(_EVENT, decode_json(body))], idempotency_key, key, quota)


@blueprint.post("/api/v1/prompts/analytics/batch")
@requires_ingest_key
def log_events(key: ApiKey, quota: Quota) -> Response:
    """As `log_event`, for all events of the batch or for none; each counts against the key's limit.

    The events are charged once they are known to be good: a bad batch is one hit, as a bad event is.
    """
    body = read_json_body(limit_bytes=BATCH_LIMIT_BYTES, deadline_seconds=BODY_DEADLINE_SECONDS, takes_gzip=True)
    idempotency_key = _idempotency_key()
    with _BATCHES.turn():
        events = load(_BATCH, decode_json(body))["events"]
    return _append(events, idempotency_key, key, quota)


def _append(loaded: Sequence[dict[str, Any]], idempotency_key: str | None, api_key: ApiKey, quota: Quota) -> Response:
    web = services()
    project_id = api_key.project_id
    events = [
        Event(
            new_event_id()
            if idempotency_key is None
            else idempotent_event_id(web.idempotency_secret, project_id, idempotency_key, position),
            project_id,
            **fields,
        )
        for position, fields in enumerate(loaded)
    ]
    began_at = time.perf_counter()
    appended = web.buffer.append(*events, idempotent=idempotency_key is not None, quota=quota)
    record_append(appended, len(events), time.perf_counter() - began_at)
    if appended is Appended.STORED_FIRST:
        web.wake_worker()
    answer = NoContent()
    if appended is Appended.REPLAYED:
        answer.headers["Idempotent-Replayed"] = "true"
    else:
        web.events_by_key.note(str(api_key.key_id), len(events))
    return answer


def _idempotency_key() -> str | None:
    key = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        message = "Must be 1 to 255 visible ASCII characters without spaces."
        raise validation_error([Detail(field="Idempotency-Key", message=message)])
    return str(key)
