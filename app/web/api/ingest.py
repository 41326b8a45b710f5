"""`POST /api/v1/prompts/analytics` and its `/batch`: events into the buffer."""

import re
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Blueprint, Response, request
from marshmallow import Schema

from app.core.contract import ANALYTICS_PATH, BATCH_PATH
from app.core.errors import BufferFull, IdempotencyKeyReused
from app.core.queries.api_keys import ApiKey
from app.core.stream.appending import Outcome
from app.core.stream.buffer import packed
from app.core.stream.events import Event, idempotency_mark, idempotent_event_id, new_event_id
from app.web.access import LIMIT_SUBJECT, over_limit, requires_key
from app.web.api.schemas import BatchSchema, EventSchema, FastBatchSchema, FastEventSchema, decode_json, load
from app.web.body import never_here, read_json_body
from app.web.envelope import Detail
from app.web.errors import validation_error
from app.web.fair_lock import FairLock
from app.web.fast.ingest import NoContent, came_with_its_head
from app.web.handed_on import handed_on
from app.web.limits import Window
from app.web.metrics import record_accepted, record_replayed
from app.web.request_context import context
from app.web.services import Services, services

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

EVENT_LIMIT_BYTES = 16 * 1024
BATCH_LIMIT_BYTES = 1024 * 1024
"""As sent and inflated: JSON of some MiB can be made to fill hundreds when it is read, and to take a second."""
BODY_DEADLINE_SECONDS = 5.0

REPLAYED_HEADER = "Idempotent-Replayed"

LoadedEvent = dict[str, Any]
"""The validated fields of an event, by the names that `Event` has for them."""

blueprint = Blueprint("ingest", __name__)


class _Parts(NamedTuple):
    """What reading and answering takes; the fast ones do the same sooner."""

    event: Schema
    batch: Schema
    no_content: Callable[[], Response]
    is_here: Callable[[Any], bool]


def _no_content() -> Response:
    answer = Response(status=HTTPStatus.NO_CONTENT)
    del answer.headers["Content-Type"]
    return answer


_PLAIN = _Parts(EventSchema(), BatchSchema(), _no_content, never_here)
_FAST = _Parts(FastEventSchema(), FastBatchSchema(), NoContent, came_with_its_head)

# Reading batches at the same time would make none of them ready sooner, and hold all of them in memory.
_ONE_BATCH_AT_A_TIME = FairLock()
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Call(NamedTuple):
    """What the two addresses do differently."""

    load: Callable[[_Parts, bytes], Sequence[LoadedEvent]]
    limit_bytes: int
    takes_gzip: bool


class Taken(NamedTuple):
    """What became of a request's events, and how the limit of their key stands."""

    outcome: Outcome
    window: Window


@blueprint.post(ANALYTICS_PATH)
@requires_key("ingest", counts_hit=False)
def log_event(key: ApiKey) -> Response:
    """Answer 204 only after Redis has the event, or had it before under the same Idempotency-Key.

    When the buffer or Redis is full it was surely not stored; when Redis does not answer (RedisUnavailable) the outcome
    is unknown, and a retry with the same Idempotency-Key is safe. A worker that could not be woken changes nothing:
    workers also look by themselves.
    """
    return _answer(_taken_before(request.environ) or take(services(), request.environ, key, SINGLE))


@blueprint.post(BATCH_PATH)
@requires_key("ingest", counts_hit=False)
def log_events(key: ApiKey) -> Response:
    """As `log_event`, for all events of the batch or for none; each counts against the key's limit.

    The events are charged once they are known to be good: a bad batch is one hit, as a bad event is.
    """
    return _answer(take(services(), request.environ, key, BATCH))


def _taken_before(environ: "WSGIEnvironment") -> Taken | None:
    """What the lean way has taken; raises the error that it ran into."""
    known = handed_on(environ)
    if known is None:
        return None
    if known.error is not None:
        raise known.error
    taken: Taken = known.taken
    return taken


def take(web: Services, environ: "WSGIEnvironment", key: ApiKey, call: Call) -> Taken:
    """Read, check and append; knows nothing of Flask's request.

    Raises ApiError for what is refused before the append, and RedisFull and RedisUnavailable as the append does.
    """
    parts = _FAST if web.settings.fast_paths else _PLAIN
    body = read_json_body(
        environ,
        limit_bytes=call.limit_bytes,
        deadline_seconds=BODY_DEADLINE_SECONDS,
        takes_gzip=call.takes_gzip,
        is_here=parts.is_here,
    )
    idempotency_key = _idempotency_key(environ)
    loaded = call.load(parts, body)
    marks = _marks(web, key.project_id, idempotency_key, len(loaded))
    limit = web.limits.limit_of(key.rate_limit)
    events = packed(
        _events(key.project_id, loaded, marks),
        mark=marks[0] if marks else None,
        window=web.limits.window_to_count(limit, LIMIT_SUBJECT, str(key.key_id)),
    )
    count = len(loaded)
    # many batches may wait for Redis, and each would hold a megabyte
    del body, loaded, marks
    began_at = time.perf_counter()
    appended = web.buffer.append_packed(events)
    if appended.outcome is Outcome.STORED:
        record_accepted(count, time.perf_counter() - began_at)
        web.events_by_key.note(str(key.key_id), count)
        web.first_events.note(key.key_id)
        if appended.must_wake:
            web.wake_worker()
    elif appended.outcome is Outcome.REPLAYED:
        record_replayed(count)
    return Taken(appended.outcome, Window.after(limit.amount, appended.hits, appended.window_left_ms))


def _answer(taken: Taken) -> Response:
    """The 204; raises what is to be answered for every outcome but STORED and REPLAYED."""
    context().window = taken.window
    match taken.outcome:
        case Outcome.KEY_REUSED:
            raise IdempotencyKeyReused
        case Outcome.BUFFER_FULL:
            raise BufferFull("the buffer is above its watermark")
        case Outcome.OVER_LIMIT:
            raise over_limit(taken.window)
    answer = (_FAST if services().settings.fast_paths else _PLAIN).no_content()
    if taken.outcome is Outcome.REPLAYED:
        answer.headers[REPLAYED_HEADER] = "true"
    return answer


def _load_event(parts: _Parts, body: bytes) -> list[LoadedEvent]:
    return [load(parts.event, decode_json(body))]


def _load_batch(parts: _Parts, body: bytes) -> list[LoadedEvent]:
    with _ONE_BATCH_AT_A_TIME.held():
        events: list[LoadedEvent] = load(parts.batch, decode_json(body))["events"]
    return events


SINGLE = Call(_load_event, EVENT_LIMIT_BYTES, takes_gzip=False)
BATCH = Call(_load_batch, BATCH_LIMIT_BYTES, takes_gzip=True)


def _marks(web: Services, project_id: int, idempotency_key: str | None, count: int) -> list[bytes]:
    """One for each event of the request; none where the client sent no Idempotency-Key."""
    if idempotency_key is None:
        return []
    secret = web.idempotency_secret
    return [idempotency_mark(secret, project_id, idempotency_key, position) for position in range(count)]


def _events(project_id: int, loaded: Sequence[LoadedEvent], marks: Sequence[bytes]) -> list[Event]:
    if not marks:
        return [Event(new_event_id(), project_id, **fields) for fields in loaded]
    now_ms = time.time_ns() // 1_000_000
    return [
        Event(idempotent_event_id(mark, fields.get("occurred_at_ms", now_ms)), project_id, **fields)
        for mark, fields in zip(marks, loaded, strict=True)
    ]


def _idempotency_key(environ: "WSGIEnvironment") -> str | None:
    key = environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        message = "Must be 1 to 255 visible ASCII characters without spaces."
        raise validation_error([Detail(field="Idempotency-Key", message=message)])
    return str(key)
