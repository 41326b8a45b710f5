"""What the system page tells of the way of the events; each part is None where its server does not answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import redis

from app.core.database import Connection
from app.core.errors import RedisFull, RedisUnavailable, Rejected, Unavailable
from app.core.operations.overflows import ToldOverflows, read_overflows
from app.core.operations.redis_settings import RedisSettings, acknowledgement_meaning, redis_infos, settings_of_all
from app.core.operations.refusals import RefusalCount, count_refusals
from app.core.operations.replays import ReplayReport, report_replays
from app.core.operations.replica import Standing
from app.core.operations.tallies import BUCKET_SECONDS, DRAINED, five_minutes_of, read_counts
from app.core.queries.dead_letters import (
    DeadLetter,
    DeadLetterReasons,
    count_dead_letters_by_reason,
    select_dead_letters,
)
from app.core.queries.status import select_events_stored
from app.core.queries.unfolded import Unfolded, select_unfolded
from app.core.queries.untraced import Untraced, select_untraced
from app.core.redis_cluster import is_cluster
from app.core.stream.buffer import EventBuffer
from app.core.stream.state import BufferState
from app.web.request_context import visitor

REFUSAL_MEANINGS = {
    "VALIDATION_ERROR": "the body is not what the API describes; the answer names every bad field",
    "IDEMPOTENCY_KEY_REUSED": "an Idempotency-Key was used again for another event",
    "BAD_REQUEST": "the request is not HTTP as it should be",
    "UNAUTHORIZED": "no API key, or one that is unknown, revoked or expired",
    "FORBIDDEN": "the API key lacks the scope",
    "NOT_FOUND": "there is nothing at this URL, or not in this project",
    "METHOD_NOT_ALLOWED": "the URL does not take this method",
    "REQUEST_TIMEOUT": "the body did not come in time",
    "PAYLOAD_TOO_LARGE": "the body is too large",
    "UNSUPPORTED_MEDIA_TYPE": "the body is not sent as JSON",
    "REQUEST_URI_TOO_LONG": "the URL is too long",
    "REQUEST_HEADER_FIELDS_TOO_LARGE": "the headers are too large or too many",
    "EXPECTATION_FAILED": "the header Expect asks for something other than 100-continue",
    "NOT_IMPLEMENTED": "the body comes in a transfer coding other than chunked",
    "RATE_LIMITED": "over the key's rate limit, or too many failures from one address",
    "BACKPRESSURE": "the buffer is full: start more workers",
    "UNAVAILABLE": "Redis or PostgreSQL did not answer",
    "INTERNAL_ERROR": "something unforeseen: see the log of web",
}
CHECKS = {
    "redis": "Redis answers",
    "redis_settings": "Redis keeps every event",
    "redis_memory": "Redis has memory left",
    "buffer": "The buffer is being emptied",
    "postgresql": "PostgreSQL answers",
    "migrations": "The database is migrated",
    "partitions": "Events of every day have a place",
    "losses": "Nothing that was acknowledged is missing",
    "clocks": "The clocks agree",
}


SHOWN_LETTERS = 100
SHOWN_OVERFLOWS = 20
PREVIEW_BYTES = 400
LONG_UNFOLDED_SECONDS = 600.0
"""As in the alert: half a minute is what a fold takes."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Redis's memory in bytes, None where it does not tell; `limit` is 0 where there is none. `policy`: of eviction."""

    used: int | None
    limit: int | None
    policy: str | None


@dataclass(frozen=True, slots=True)
class Drained:
    """Events stored in the last hour, in `series` by five minutes, the newest last and not yet over."""

    series: Sequence[int]

    @property
    def last_hour(self) -> int:
        return sum(self.series)

    @property
    def per_second(self) -> float:
        """In the last five minutes that are over."""
        return self.series[-2] / BUCKET_SECONDS


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """All that Redis tells. `acknowledgement`: what a 204 means on it, in a few words and the rest."""

    buffer: BufferState
    memory: Memory
    settings: RedisSettings
    acknowledgement: tuple[str, str]
    drained: Drained
    refusals: Sequence[RefusalCount]


class DatabaseFacts(NamedTuple):
    """What PostgreSQL tells; `letters` are the oldest that were asked for, and after them come more, or not.

    `unfolded` is of all projects.
    `replays`: None where none was replayed lately, and where Redis does not tell.
    """

    events_stored: int
    unfolded: Unfolded
    untraced: Untraced
    counted: DeadLetterReasons
    letters: list[DeadLetter]
    more_letters: bool
    replays: ReplayReport | None
    overflows: ToldOverflows


def replica_words(standing: Standing | None) -> str:
    """What is to be said of the hot standby besides its state."""
    if standing is None:
        return ""
    if standing.lag_seconds is None:
        return "numbers are read from the primary"
    behind = f"{standing.lag_seconds:.1f} s behind the primary"
    return behind if standing.state == "in use" else f"{behind}, so that numbers are read there"


def visible_project() -> int | None:
    """Whose dead letters and refusals the visitor sees; None for operators: those of the whole service."""
    return None if visitor().user.is_operator else visitor().project_id


def database_facts(
    connection: Connection, client: redis.Redis, now: datetime, *, project_id: int | None, letters_after: int
) -> DatabaseFacts:
    """The facts; of dead letters a page of those whose ids come after `letters_after`."""
    letters = select_dead_letters(
        connection,
        limit=SHOWN_LETTERS + 1,
        after=letters_after,
        project_id=project_id,
        preview_bytes=PREVIEW_BYTES,
    )
    return DatabaseFacts(
        select_events_stored(connection, project_id=project_id),
        select_unfolded(connection),
        select_untraced(connection, project_id=project_id),
        count_dead_letters_by_reason(connection, project_id=project_id),
        letters[:SHOWN_LETTERS],
        len(letters) > SHOWN_LETTERS,
        _replays(client, connection, project_id),
        read_overflows(connection, client, now, project_id=project_id, limit=SHOWN_OVERFLOWS),
    )


def _replays(client: redis.Redis, connection: Connection, project_id: int | None) -> ReplayReport | None:
    try:
        return report_replays(client, connection, project_id)
    except (RedisFull, RedisUnavailable):
        return None


def redis_facts(
    client: redis.Redis, buffer: EventBuffer, now: datetime, *, project_id: int | None
) -> RedisFacts | None:
    """The facts; refusals of the project, or with None those of the whole service."""
    try:
        infos = redis_infos(client)
        settings = settings_of_all(infos, in_cluster=is_cluster(client))
        words, _, rest = acknowledgement_meaning(settings).partition(": ")
        return RedisFacts(
            buffer=buffer.state(),
            memory=_memory(infos, settings),
            settings=settings,
            acknowledgement=(words, rest),
            drained=_drained(client, now),
            refusals=count_refusals(client, now, project_id=project_id),
        )
    except (Unavailable, Rejected):
        return None


def _memory(infos: Sequence[Mapping[str, Any]], settings: RedisSettings) -> Memory:
    """Of all nodes together; without what one of them does not tell, and without a limit where one has none."""
    limits = [info.get("maxmemory") for info in infos]
    return Memory(
        _sum_of([info.get("used_memory") for info in infos]),
        0 if 0 in limits else _sum_of(limits),
        settings["maxmemory-policy"].value,
    )


def _sum_of(told: Sequence[int | None]) -> int | None:
    return None if None in told else sum(filter(None, told))


def buffer_state(buffer: EventBuffer) -> BufferState | None:
    """None where Redis does not answer."""
    try:
        return buffer.state()
    except (Unavailable, Rejected):
        return None


def _drained(client: redis.Redis, now: datetime) -> Drained:
    counts = read_counts(client, DRAINED, now)
    first = five_minutes_of((now - timedelta(hours=1)).timestamp())
    buckets = range(first, five_minutes_of(now.timestamp()) + 1, BUCKET_SECONDS)
    return Drained([counts.get((bucket, "stored"), 0) for bucket in buckets])


def preview(letter: DeadLetter) -> str:
    """The beginning of the bytes as a line of text in which nothing is invisible, with an ellipsis where it goes on."""
    text = letter.preview.decode("utf-8", "backslashreplace")
    visible = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return visible + ("…" if letter.payload_bytes > len(letter.preview) else "")
