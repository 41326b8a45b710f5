"""Whether events flow: each check's name with what is wrong and what to do about it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import redis

from app.core.database import ConnectionPool, connection_from
from app.core.errors import BufferDamaged, DatabaseUnavailable, RedisFull, RedisUnavailable
from app.core.migrations import SCHEMA_REVISION, current_revision
from app.core.queries.losses import Loss, select_loss
from app.core.queries.maintenance import select_now
from app.core.queries.partitions import select_detached_partitions
from app.core.queries.status import select_partition_days
from app.core.redis_client import redis_errors
from app.core.redis_cluster import is_cluster, primaries_of
from app.core.stream.buffer import EventBuffer
from app.core.stream.state import BufferState

OLDEST_REDIS = (6, 2)
OLDEST_EVENT_SECONDS = 60.0
LARGEST_LEAP_SECONDS = 60.0
LARGEST_DIFFERENCE = timedelta(hours=1)
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
        infos = [redis_info(node) for node in redis_nodes(client)]
    except (RedisUnavailable, RedisFull):
        return {"redis": REDIS_SILENT}
    problems: Problems = {
        "redis": None,
        "redis_settings": _of_any(settings_problem(info, in_cluster=is_cluster(client)) for info in infos),
        "redis_memory": _of_any(map(memory_problem, infos)),
    }
    try:
        return {**problems, "buffer": buffer_problem(buffer.state(), buffer_max_events)}
    except BufferDamaged as error:
        return {**problems, "buffer": f"{error}. Nothing can be taken: rename that key, and see who wrote it."}
    except (RedisUnavailable, RedisFull):
        return {"redis": REDIS_SILENT}


def redis_nodes(client: redis.Redis) -> Sequence[redis.Redis]:
    """A client for each primary of a cluster; of one Redis the client itself. Raises RedisUnavailable."""
    with redis_errors():
        return primaries_of(client)


def _of_any(problems: Iterable[str | None]) -> str | None:
    """What is wrong with nodes, each thing once."""
    return " ".join(dict.fromkeys(problem for problem in problems if problem)) or None


def redis_info(client: redis.Redis) -> dict[str, Any]:
    """INFO's sections server, persistence, memory and replication. Raises RedisUnavailable."""
    with redis_errors(), client.pipeline(transaction=False) as pipeline:
        for section in ("server", "persistence", "memory", "replication"):
            pipeline.info(section)
        sections = pipeline.execute()
    return {name: value for section in sections for name, value in section.items()}


def append_fsync(client: redis.Redis) -> str | None:
    """The setting appendfsync; None where Redis tells nobody. Raises nothing that a server causes."""
    try:
        with redis_errors():
            return client.config_get("appendfsync").get("appendfsync")
    except (RedisUnavailable, RedisFull):
        return None


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


def settings_problem(info: Mapping[str, object], *, in_cluster: bool = False) -> str | None:
    """What in Redis's INFO (server, persistence, memory, replication) would lose or refuse events."""
    wrong: list[str] = []
    version = str(info.get("redis_version", "0.0"))
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        wrong.append("Redis is older than 6.2: install a newer one.")
    if info.get("redis_mode") == "cluster" and not in_cluster:
        wrong.append("Redis runs as a cluster: set REDIS_CLUSTER to on, or use a single primary.")
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


def acknowledgement_in(nodes: Sequence[redis.Redis], infos: Sequence[Mapping[str, object]]) -> str:
    """What a 204 means on these nodes, by the INFO of each; `acknowledgement_meaning` for a single one."""
    meanings = [acknowledgement_meaning(info, append_fsync(node)) for node, info in zip(nodes, infos, strict=True)]
    told = "; or ".join(dict.fromkeys(meanings))
    return told if len(nodes) == 1 else f"{told}; and a failover can lose what the replica has not heard of yet"


def acknowledgement_meaning(info: Mapping[str, object], append_fsync: str | None) -> str:
    """What a 204 means on this Redis, by its INFO and its appendfsync; None where that cannot be seen."""
    if info.get("aof_enabled") != 1:
        return "in memory only: a restart of Redis loses what is in the buffer"
    match append_fsync:
        case "always":
            return "on disk: Redis syncs its append-only file before it answers"
        case "everysec":
            return "on disk within a second: a power failure of Redis's machine can lose the last one"
        case "no":
            return "on disk when the system pleases: a power failure of Redis's machine can lose half a minute"
    return "on disk, but how soon cannot be seen here"
