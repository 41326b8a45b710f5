"""Whether events flow: each check's name with what is wrong and what to do about it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import redis

from app.core.database import ConnectionPool, connection_from
from app.core.errors import (
    BufferDamaged,
    DatabaseUnavailable,
    PromptAnalyticsError,
    RedisFull,
    RedisNotTrusted,
    RedisUnavailable,
)
from app.core.migrations import SCHEMA_REVISION, current_revision
from app.core.operations.redis_settings import RedisSettings, redis_infos, settings_of_all, settings_problem
from app.core.queries.losses import Loss, select_loss
from app.core.queries.maintenance import select_now
from app.core.queries.partitions import select_detached_partitions
from app.core.queries.status import select_partition_days
from app.core.redis_cluster import is_cluster
from app.core.stream.buffer import EventBuffer
from app.core.stream.state import BufferState

OLDEST_EVENT_SECONDS = 60.0
LARGEST_LEAP_SECONDS = 60.0
LARGEST_DIFFERENCE = timedelta(hours=1)
ROOM_FOR_A_REQUEST_BYTES = 64 * 1024
"""A full Redis has some room again while nobody is connected: what a request itself takes while it runs."""

REDIS_SILENT = "Redis did not answer. See that it runs and that REDIS_URL is right."
REDIS_NOT_TRUSTED = "The certificate of Redis is not trusted here. See REDIS_TLS_VERIFY."
POSTGRESQL_SILENT = "PostgreSQL did not answer. See that it runs and that DATABASE_URL is right."

Problems = dict[str, str | None]
"""By name of the check; None where all is well. A check that could not be made is left out. The texts are fit for
strangers: no addresses, no data."""


class RedisLook(NamedTuple):
    """What the checks of Redis found; `settings` are None where Redis did not answer."""

    problems: Problems
    settings: RedisSettings | None


REDIS_LATE = RedisLook({"redis": REDIS_SILENT}, None)


def look_at_redis(client: redis.Redis, buffer: EventBuffer, *, buffer_max_events: int) -> RedisLook:
    """Redis answers, its settings are right as far as they can be seen, it has room, and the buffer is being emptied.

    Raises nothing that a server causes.
    """
    try:
        infos = redis_infos(client)
        buffer_found = _look_at_buffer(buffer, buffer_max_events)
    except (RedisUnavailable, RedisFull) as error:
        return RedisLook(redis_silence(error), None)
    settings = settings_of_all(infos, in_cluster=is_cluster(client))
    problems: Problems = {"redis": None, "redis_settings": settings_problem(settings)}
    if settings["maxmemory"].state != "unseen":
        problems["redis_memory"] = next(filter(None, map(memory_problem, infos)), None)
    return RedisLook({**problems, "buffer": buffer_found}, settings)


def _look_at_buffer(buffer: EventBuffer, max_events: int) -> str | None:
    try:
        return buffer_problem(buffer.state(), max_events)
    except BufferDamaged as error:
        return f"{error}. Nothing can be taken: rename that key, and see who wrote it."


def redis_silence(error: PromptAnalyticsError) -> Problems:
    """What is wrong where Redis cannot be asked."""
    return {"redis": REDIS_NOT_TRUSTED if isinstance(error, RedisNotTrusted) else REDIS_SILENT}


def check_redis(client: redis.Redis, buffer: EventBuffer, *, buffer_max_events: int) -> Problems:
    """As `look_at_redis`, the problems alone."""
    return look_at_redis(client, buffer, buffer_max_events=buffer_max_events).problems


def check_database(pool: ConnectionPool, now: datetime) -> Problems:
    """PostgreSQL answers, is migrated, has a place for events and misses none; `now` is this machine's time in UTC.

    Raises nothing that a server causes.
    """
    try:
        with connection_from(pool) as connection:
            revision = current_revision(connection)
            if revision != SCHEMA_REVISION:
                return {"postgresql": None, "migrations": migrations_problem(revision)}
            days = select_partition_days(connection)
            detached = select_detached_partitions(connection)
            loss = select_loss(connection, only_unnoted=True)
            difference = select_now(connection) - now
    except DatabaseUnavailable:
        return {"postgresql": POSTGRESQL_SILENT}
    return {
        "postgresql": None,
        "migrations": None,
        "partitions": partitions_problem(today_exists=days.today_exists, detached=detached),
        "losses": loss_problem(loss),
        "clocks": clocks_problem(difference),
    }


def memory_problem(info: Mapping[str, Any]) -> str | None:
    """Whether Redis refuses events for want of memory, by its INFO (memory)."""
    limit = info.get("maxmemory", 0)
    # what Redis itself does not count when it decides: the buffers of its append-only file and of replicas
    used = info.get("used_memory", 0) - info.get("mem_not_counted_for_evict", 0)
    if limit == 0 or used + ROOM_FOR_A_REQUEST_BYTES <= limit:
        return None
    return "Redis is out of memory and refuses events: raise maxmemory, and see what else uses this Redis."


def buffer_problem(state: BufferState, max_events: int) -> str | None:
    """Whether the buffer refuses events, or the oldest one waits for too long."""
    if state.depth >= max_events:
        return (
            f"The buffer is full: {state.depth} events wait, and BUFFER_MAX_EVENTS is {max_events}: "
            "start the worker, or more workers, and see their logs."
        )
    if state.leap_seconds > LARGEST_LEAP_SECONDS:
        return (
            f"The last id of the stream is {state.leap_seconds:.0f} s ahead of Redis's clock, which has leapt, or "
            "somebody has written that id. Events get the time at which they came; if none are taken, see that the "
            "buffer is emptied: then it mends itself."
        )
    if state.oldest_age_seconds <= OLDEST_EVENT_SECONDS:
        return None
    return (
        f"The oldest buffered event has waited for {state.oldest_age_seconds:.0f} s, longer than "
        f"{OLDEST_EVENT_SECONDS:.0f} s: start the worker, or more workers, and see their logs."
    )


def migrations_problem(revision: str | None) -> str | None:
    if revision == SCHEMA_REVISION:
        return None
    found = "no schema" if revision is None else "another version of the schema"
    return f"PostgreSQL has {found}: run python -m app migrate of this release."


def partitions_problem(*, today_exists: bool, detached: Sequence[str]) -> str | None:
    """The detached ones first: while today's is one of them, nobody can make it."""
    wrong: list[str] = []
    if detached:
        wrong.append(
            f"These tables have the names of partitions and are attached to nothing, so that events of their days have "
            f"to wait: {', '.join(detached)}. Attach them again, or rename them."
        )
    if not today_exists:
        wrong.append("There is no partition for today's events: start the worker, or run python -m app migrate.")
    return " ".join(wrong) or None


def loss_problem(loss: Loss) -> str | None:
    if not loss.events:
        return None
    return (
        f"{loss.events} acknowledged events are missing, acknowledged between {loss.first_at:%Y-%m-%d %H:%M:%S} and "
        f"{loss.last_at:%Y-%m-%d %H:%M:%S} UTC: Redis had them and lost them. See what became of Redis then, and take "
        "note of the loss with python -m app losses note."
    )


def clocks_problem(difference: timedelta) -> str | None:
    if abs(difference) <= LARGEST_DIFFERENCE:
        return None
    return (
        f"The clocks of PostgreSQL and of this machine are {abs(difference).total_seconds():.0f} s apart: set the "
        "wrong one right. Until then nothing is cleaned up."
    )
