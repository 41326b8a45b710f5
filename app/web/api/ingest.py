"""`POST /api/v1/prompts/analytics` and its `/batch`: events into the buffer."""

import re
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from flask import Blueprint, Response, request
from marshmallow import Schema

from app.core.contract import ANALYTICS_PATH, BATCH_PATH
from app.core.errors import BufferFull, IdempotencyKeyReused
from app.core.queries.api_keys import ApiKey
from app.core.stream.buffer import Outcome
from app.core.stream.events import Event, idempotency_mark, idempotent_event_id, new_event_id
from app.web.access import LIMIT_SUBJECT, over_limit, requires_key
from app.web.api.schemas import BatchSchema, EventSchema, FastBatchSchema, FastEventSchema, decode_json, load
from app.web.body import read_json_body
from app.web.envelope import Detail
from app.web.errors import validation_error
from app.web.fair_lock import FairLock
from app.web.fast.ingest import NoContent
from app.web.limits import Window
from app.web.metrics import record_accepted, record_replayed
from app.web.request_context import context
from app.web.services import services

EVENT_LIMIT_BYTES = 16 * 1024
BATCH_LIMIT_BYTES = 1024 * 1024
"""As sent and inflated: JSON of some MiB can be made to fill hundreds when it is read, and to take a second."""
BODY_DEADLINE_SECONDS = 5.0

LoadedEvent = dict[str, Any]
"""The validated fields of an event, by the names that `Event` has for them."""

blueprint = Blueprint("ingest", __name__)


class _Parts(NamedTuple):
    """What reading and answering takes; the fast ones do the same sooner."""

    event: Schema
    batch: Schema
    no_content: Callable[[], Response]


def _no_content() -> Response:
    answer = Response(status=HTTPStatus.NO_CONTENT)
    del answer.headers["Content-Type"]
    return answer


_PLAIN = _Parts(EventSchema(), BatchSchema(), _no_content)
_FAST = _Parts(FastEventSchema(), FastBatchSchema(), NoContent)

# Reading batches at the same time would make none of them ready sooner, and hold all of them in memory.
_ONE_BATCH_AT_A_TIME = FairLock()
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@blueprint.post(ANALYTICS_PATH)
@requires_key("ingest", counts_hit=False)
def log_event(key: ApiKey) -> Response:
    """Answer 204 only after Redis has the event, or had it before under the same Idempotency-Key.

    When the buffer or Redis is full it was surely not stored; when Redis does not answer (RedisUnavailable) the outcome
    is unknown, and a retry with the same Idempotency-Key is safe. A worker that could not be woken changes nothing:
    workers also look by themselves.
    """
    return _take(key, _load_event, limit_bytes=EVENT_LIMIT_BYTES)


@blueprint.post(BATCH_PATH)
@requires_key("ingest", counts_hit=False)
def log_events(key: ApiKey) -> Response:
    """As `log_event`, for all events of the batch or for none; each counts against the key's limit.

    The events are charged once they are known to be good: a bad batch is one hit, as a bad event is.
    """
    return _take(key, _load_batch, limit_bytes=BATCH_LIMIT_BYTES, takes_gzip=True)


def _take(
    key: ApiKey,
    load_events: Callable[[_Parts, bytes], Sequence[LoadedEvent]],
    *,
    limit_bytes: int,
    takes_gzip: bool = False,
) -> Response:
    parts = _FAST if services().settings.fast_paths else _PLAIN
    body = read_json_body(limit_bytes=limit_bytes, deadline_seconds=BODY_DEADLINE_SECONDS, takes_gzip=takes_gzip)
    idempotency_key = _idempotency_key()
    loaded = load_events(parts, body)
    marks = _marks(key.project_id, idempotency_key, len(loaded))
    outcome = _append(key, _events(key.project_id, loaded, marks), mark=marks[0] if marks else None)
    answer = parts.no_content()
    if outcome is Outcome.REPLAYED:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


def _load_event(parts: _Parts, body: bytes) -> list[LoadedEvent]:
    return [load(parts.event, decode_json(body))]


def _load_batch(parts: _Parts, body: bytes) -> list[LoadedEvent]:
    with _ONE_BATCH_AT_A_TIME.held():
        events: list[LoadedEvent] = load(parts.batch, decode_json(body))["events"]
    return events


def _marks(project_id: int, idempotency_key: str | None, count: int) -> list[bytes]:
    """One for each event of the request; none where the client sent no Idempotency-Key."""
    if idempotency_key is None:
        return []
    secret = services().idempotency_secret
    return [idempotency_mark(secret, project_id, idempotency_key, position) for position in range(count)]


def _events(project_id: int, loaded: Sequence[LoadedEvent], marks: Sequence[bytes]) -> list[Event]:
    if not marks:
        return [Event(new_event_id(), project_id, **fields) for fields in loaded]
    now_ms = time.time_ns() // 1_000_000
    return [
        Event(idempotent_event_id(mark, fields.get("occurred_at_ms", now_ms)), project_id, **fields)
        for mark, fields in zip(marks, loaded, strict=True)
    ]


def _append(key: ApiKey, events: Sequence[Event], *, mark: bytes | None) -> Outcome:
    """STORED or REPLAYED; raises what is to be answered for every other outcome."""
    web = services()
    limit = web.limits.limit_of(key.rate_limit)
    to_count = web.limits.window_to_count(limit, LIMIT_SUBJECT, str(key.key_id))
    began_at = time.perf_counter()
    appended = web.buffer.append(*events, mark=mark, window=to_count)
    seconds = time.perf_counter() - began_at
    window = context().window = Window.after(limit.amount, appended.hits, appended.window_left_ms)
    match appended.outcome:
        case Outcome.STORED:
            record_accepted(len(events), seconds)
            web.events_by_key.note(str(key.key_id), len(events))
            web.first_events.note(key.key_id)
            if appended.must_wake:
                web.wake_worker()
        case Outcome.REPLAYED:
            record_replayed(len(events))
        case Outcome.KEY_REUSED:
            raise IdempotencyKeyReused
        case Outcome.BUFFER_FULL:
            raise BufferFull("the buffer is above its watermark")
        case Outcome.OVER_LIMIT:
            raise over_limit(window)
    return appended.outcome


def _idempotency_key() -> str | None:
    key = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        message = "Must be 1 to 255 visible ASCII characters without spaces."
        raise validation_error([Detail(field="Idempotency-Key", message=message)])
    return str(key)
