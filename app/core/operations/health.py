"""How the service does in one word, for the header of every page, and up to when what is stored is complete."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import redis

from app.core.database import ConnectionPool, connection_from
from app.core.errors import BufferDamaged, Rejected, Unavailable
from app.core.operations.readiness import (
    POSTGRESQL_SILENT,
    REDIS_SILENT,
    Problems,
    check_database,
    check_redis,
    redis_silence,
)
from app.core.queries.dead_letters import COUNTED_LETTERS, count_dead_letters_by_project
from app.core.stream.buffer import EventBuffer
from app.core.stream.state import BufferState

WAITING_SECONDS = 5.0
"""What waits for less is what a worker takes up within a moment."""

State = Literal["ok", "delayed", "broken"]
"""`delayed`: accepted events are not in the numbers yet, for they wait or were set aside. `broken`: a check of /readyz
fails."""


@dataclass(frozen=True, slots=True)
class RedisHealth:
    """What Redis tells. `buffer` was seen before the checks, at `seen_at` (UTC); None where that is not known."""

    problems: Problems
    buffer: BufferState | None
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """What PostgreSQL tells. `dead_letters`: by project, None for those of nobody; None where it does not tell.

    Of each they are counted up to COUNTED_LETTERS.
    """

    problems: Problems
    dead_letters: Mapping[int | None, int] | None


class Reason(NamedTuple):
    """Why not all is well: what is wrong, fit for strangers, its entry of the runbook, and the state that it makes."""

    text: str
    entry: str
    state: State


@dataclass(frozen=True, slots=True)
class Waiting:
    """Accepted events that are not stored yet: how many, and when the first came. What came before it is stored."""

    events: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Health:
    """`waiting` is None where nothing waits for longer than a moment, and where `knows_what_waits` is false.

    `dead_letters`: those that who looks may see, or from COUNTED_LETTERS on at least so many; None where not known.
    """

    state: State
    reasons: list[Reason] = field(default_factory=list)
    waiting: Waiting | None = None
    knows_what_waits: bool = True
    dead_letters: int | None = 0


REDIS_LATE = RedisHealth({"redis": REDIS_SILENT}, None, datetime.min.replace(tzinfo=UTC))
DATABASE_LATE = DatabaseHealth({"postgresql": POSTGRESQL_SILENT}, None)


def redis_health(client: redis.Redis, buffer: EventBuffer, now: datetime, *, buffer_max_events: int) -> RedisHealth:
    """Raises nothing that a server causes."""
    state = None
    try:
        state = buffer.state()
    except BufferDamaged:
        pass  # the check says it
    except (Unavailable, Rejected) as error:
        return RedisHealth(redis_silence(error), None, now)
    return RedisHealth(check_redis(client, buffer, buffer_max_events=buffer_max_events), state, now)


def database_health(pool: ConnectionPool, now: datetime) -> DatabaseHealth:
    """Raises nothing that a server causes."""
    problems = check_database(pool, now)
    if problems.get("postgresql") or problems.get("migrations"):
        return DatabaseHealth(problems, None)
    try:
        with connection_from(pool) as connection:
            return DatabaseHealth(problems, count_dead_letters_by_project(connection))
    except Unavailable:
        return DatabaseHealth({**problems, "postgresql": POSTGRESQL_SILENT}, None)


def health_of(in_redis: RedisHealth, in_database: DatabaseHealth, *, project_id: int | None, sees_all: bool) -> Health:
    """The health as somebody sees it: dead letters are those of the project, or with `sees_all` those of everybody."""
    problems = in_redis.problems | in_database.problems
    broken = [Reason(problem, name, "broken") for name, problem in problems.items() if problem]
    waiting = _waiting(in_redis)
    delayed = []
    if waiting and not problems.get("buffer"):
        delayed.append(
            Reason(f"Accepted events wait to be stored: {waiting.events:,}.", "worker_not_draining", "delayed")
        )
    letters = None
    if in_database.dead_letters is not None:
        counts = in_database.dead_letters
        letters = sum(counts.values()) if sees_all else counts.get(project_id, 0) if project_id else 0
        if letters:
            text = f"Accepted events were set aside, because they could not be stored: {letters_in_words(letters)}."
            delayed.append(Reason(text, "dead_letters", "delayed"))
    return Health(
        state="broken" if broken else "delayed" if delayed else "ok",
        reasons=broken + delayed,
        waiting=waiting,
        knows_what_waits=in_redis.buffer is not None,
        dead_letters=letters,
    )


def letters_in_words(letters: int) -> str:
    """Those of a project are counted no further than COUNTED_LETTERS."""
    return f"{letters:,}" if letters < COUNTED_LETTERS else f"{COUNTED_LETTERS:,}+"


def _waiting(in_redis: RedisHealth) -> Waiting | None:
    state = in_redis.buffer
    if state is None or not state.depth or state.oldest_age_seconds < WAITING_SECONDS:
        return None
    return Waiting(state.depth, in_redis.seen_at - timedelta(seconds=state.oldest_age_seconds))
