"""`POST /api/v1/prompts/analytics`: one event into the buffer."""

import re
import time

from flask import Blueprint, Response, g, request

from app.core.buffer import Appended
from app.core.events import Event, idempotent_event_id, new_event_id
from app.web.access import requires_key
from app.web.api.schemas import EventSchema, decode_json, load
from app.web.body import read_json_body
from app.web.errors import Detail, validation_error
from app.web.metrics import record_append
from app.web.services import services

BODY_LIMIT_BYTES = 16 * 1024
BODY_DEADLINE_SECONDS = 5.0

blueprint = Blueprint("ingest", __name__)

_SCHEMA = EventSchema()
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class NoContent(Response):
    """A 204, which has no body and so no type."""

    default_status = 204
    default_mimetype = None


@blueprint.post("/api/v1/prompts/analytics")
@requires_key("ingest")
def log_event() -> Response:
    """Answer 204 only after Redis has the event, or had it before under the same Idempotency-Key.

    When Redis refuses it surely (BufferFull) it was not stored; when Redis does not answer (BufferUnavailable)
    the outcome is unknown, and a retry with the same Idempotency-Key is safe. A worker that could not be woken
    changes nothing: workers also look by themselves.
    """
    body = read_json_body(limit_bytes=BODY_LIMIT_BYTES, deadline_seconds=BODY_DEADLINE_SECONDS)
    idempotency_key = _idempotency_key()
    fields = load(_SCHEMA, decode_json(body))
    web = services()
    project_id = g.api_key.project_id
    event_id = (
        new_event_id()
        if idempotency_key is None
        else idempotent_event_id(web.idempotency_secret, project_id, idempotency_key)
    )
    event = Event(event_id=event_id, project_id=project_id, **fields)
    began_at = time.perf_counter()
    appended = web.buffer.append(event, idempotent=idempotency_key is not None)
    record_append(appended, time.perf_counter() - began_at)
    if appended is Appended.STORED_FIRST:
        web.wake_worker()
    answer = NoContent()
    if appended is Appended.REPLAYED:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


def _idempotency_key() -> str | None:
    key = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        message = "Must be 1 to 255 visible ASCII characters without spaces."
        raise validation_error([Detail(field="Idempotency-Key", message=message)])
    return str(key)
