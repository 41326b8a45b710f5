"""Whether events flow: each check's name with what is wrong and what to do about it."""

from collections.abc import Mapping
from typing import Any

import redis

from app.core.database import ConnectionPool, connection_from
from app.core.errors import DatabaseUnavailable, RedisFull, RedisUnavailable
from app.core.migrations import SCHEMA_REVISION, current_revision
from app.core.queries.status import select_partition_days
from app.core.redis_client import redis_errors
from app.core.stream.buffer import EventBuffer
from app.core.stream.state import BufferState

OLDEST_REDIS = (6, 2)
OLDEST_EVENT_SECONDS = 60.0
ROOM_FOR_A_REQUEST_BYTES = 64 * 1024
"""A full Redis has some room again while nobody is connected: what a request itself takes while it runs."""

REDIS_SILENT = "Redis did not answer. See that it runs and that REDIS_URL is right."
POSTGRESQL_SILENT = "PostgreSQL did not answer. See that it runs and that DATABASE_URL is right."

Problems = dict[str, str | None]
"""By name of the check; None where all is well. A check that could not be made is left out. The texts are fit for
strangers: no addresses, no data."""


def check_redis(client: redis.Redis, buffer: EventBuffer, *, buffer_max_events: int) -> Problems:
    """Redis answers, its settings are right, it has room, and the buffer is being emptied.

    It asks INFO, because hosted servers often forbid CONFIG. Raises nothing that a server causes.
    """
    try:
        with redis_errors(), client.pipeline(transaction=False) as pipeline:
            for section in ("server", "persistence", "memory", "replication"):
                pipeline.info(section)
            sections = pipeline.execute()
        state = buffer.state()
    except (RedisUnavailable, RedisFull):
        return {"redis": REDIS_SILENT}
    info = {name: value for section in sections for name, value in section.items()}
    return {
        "redis": None,
        "redis_settings": settings_problem(info),
        "redis_memory": memory_problem(info),
        "buffer": buffer_problem(state, buffer_max_events),
    }


def check_database(pool: ConnectionPool) -> Problems:
    """PostgreSQL answers, is migrated, and has a place for today's events. Raises nothing that a server causes."""
    try:
        with connection_from(pool) as connection:
            revision = current_revision(connection)
            if revision != SCHEMA_REVISION:
                return {"postgresql": None, "migrations": migrations_problem(revision)}
            today_exists = select_partition_days(connection).today_exists
    except DatabaseUnavailable:
        return {"postgresql": POSTGRESQL_SILENT}
    return {"postgresql": None, "migrations": None, "partitions": partitions_problem(today_exists=today_exists)}


def settings_problem(info: Mapping[str, object]) -> str | None:
    """What in Redis's INFO (server, persistence, memory, replication) would lose or refuse events."""
    wrong: list[str] = []
    version = str(info.get("redis_version", "0.0"))
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        wrong.append("Redis is older than 6.2: install a newer one.")
    if info.get("role") != "master":
        wrong.append("Redis is a replica: let REDIS_URL name the primary.")
    if info.get("maxmemory_policy") != "noeviction":
        wrong.append("Redis may evict events: set maxmemory-policy to noeviction.")
    if info.get("aof_enabled") != 1:
        wrong.append("Redis forgets events when it restarts: set appendonly to yes.")
    elif info.get("aof_last_write_status") != "ok":
        wrong.append("Redis could not write its append-only file: see its log and its disk.")
    return " ".join(wrong) or None


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


def partitions_problem(*, today_exists: bool) -> str | None:
    if today_exists:
        return None
    return "There is no partition for today's events: start the worker, or run python -m app migrate."
