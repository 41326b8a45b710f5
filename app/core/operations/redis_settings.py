"""What Redis tells of its settings, each right, wrong or not to be seen, and what a 204 means by them.

Hosts hide some: Redis Enterprise leaves the eviction policy out of INFO, many forbid or rename CONFIG, an ACL may
forbid both. What cannot be seen is no fault, and is told as such: docs/managed-redis.md says where hosts show it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import redis

from app.core.redis_client import redis_errors
from app.core.redis_cluster import is_cluster, primaries_of

OLDEST_REDIS = (6, 2)
INFO_SECTIONS = ("server", "persistence", "memory", "replication")
CONFIG_NAMES = ("maxmemory-policy", "appendonly", "appendfsync")

State = Literal["right", "unseen", "wrong"]
STATES: tuple[State, ...] = get_args(State)
"""The best first."""


@dataclass(frozen=True, slots=True)
class Setting:
    """`value` as Redis tells it, None for an unseen one; `advice`: what to do, empty where it is right.

    The advice is fit for strangers: no addresses, no data.
    """

    state: State
    value: str | None = None
    advice: str = ""


RedisSettings = Mapping[str, Setting]
"""By name, in the order in which people should read them."""


def redis_info(client: redis.Redis) -> dict[str, Any]:
    """INFO's sections of INFO_SECTIONS, and what CONFIG GET tells of CONFIG_NAMES, which have names of their own.

    What this Redis refuses to tell is left out. Raises RedisUnavailable where it does not answer.
    """
    with redis_errors(), client.pipeline(transaction=False) as pipeline:
        for section in INFO_SECTIONS:
            pipeline.info(section)
        for name in CONFIG_NAMES:
            pipeline.config_get(name)
        answers = pipeline.execute(raise_on_error=False)
    return {name: value for answer in answers if isinstance(answer, dict) for name, value in answer.items()}


def redis_infos(client: redis.Redis) -> list[dict[str, Any]]:
    """As `redis_info`, of each primary of a cluster; of one Redis, of itself."""
    with redis_errors():
        nodes = primaries_of(client)
    return [redis_info(node) for node in nodes]


def settings_in(client: redis.Redis) -> RedisSettings:
    """Of one Redis, or of all primaries of a cluster. Raises RedisUnavailable where one does not answer."""
    return settings_of_all(redis_infos(client), in_cluster=is_cluster(client))


def settings_of_all(infos: Sequence[Mapping[str, object]], *, in_cluster: bool) -> RedisSettings:
    """Each setting as it is at the node where it is worst."""
    of_nodes = [settings_of(info, in_cluster=in_cluster) for info in infos]
    names = dict.fromkeys(name for settings in of_nodes for name in settings)
    return {name: max((each[name] for each in of_nodes if name in each), key=_how_bad) for name in names}


def _how_bad(setting: Setting) -> tuple[int, bool]:
    """A node that writes its file later makes a 204 mean less, though it is right as well."""
    return STATES.index(setting.state), setting.value == "everysec"


def settings_of(info: Mapping[str, object], *, in_cluster: bool = False) -> RedisSettings:
    """What `redis_info` told, judged."""
    found = {
        "version": _version(info),
        "mode": _mode(info, in_cluster=in_cluster),
        "role": _role(info),
        "maxmemory": _memory(info),
        "maxmemory-policy": _eviction(info),
        "appendonly": _append_only(info),
    }
    if found["appendonly"].state == "right":
        found["append-only file"] = _last_write(info)
    if found["appendonly"].state != "wrong":
        found["appendfsync"] = _sync(info)
    return found


def settings_problem(settings: RedisSettings) -> str | None:
    """What in these settings would lose or refuse events."""
    return " ".join(setting.advice for setting in settings.values() if setting.state == "wrong") or None


def acknowledgement_meaning(settings: RedisSettings) -> str:
    """What a 204 means on this Redis, in a few words, then a colon and the rest."""
    meaning = _kept(settings)
    if settings["mode"] == Setting("right", "cluster"):
        return f"{meaning}; and a failover can lose what the replica has not heard of yet"
    return meaning


def _kept(settings: RedisSettings) -> str:
    match settings["appendonly"].state:
        case "wrong":
            return "in memory only: a restart of Redis loses what is in the buffer"
        case "unseen":
            return "cannot be seen here: this Redis does not tell whether it keeps its events on a disk"
    match settings["appendfsync"].value:
        case "always":
            return "on disk: Redis syncs its append-only file before it answers"
        case "everysec":
            return "on disk within a second: a power failure of Redis's machine can lose the last one"
        case "no":
            return "on disk when the system pleases: a power failure of Redis's machine can lose half a minute"
    return "on disk: how soon cannot be seen here"


def names_in(settings: RedisSettings, state: State) -> list[str]:
    return [name for name, setting in settings.items() if setting.state == state]


def _version(info: Mapping[str, object]) -> Setting:
    # Valkey tells here which Redis it is compatible with
    version = re.match(r"(\d+)\.(\d+)", str(info.get("redis_version", "")))
    if version is None:
        return Setting("unseen", advice="See that it is Redis 6.2 or later, or Valkey.")
    if (int(version[1]), int(version[2])) < OLDEST_REDIS:
        return Setting("wrong", str(info["redis_version"]), "Redis is older than 6.2: install a newer one.")
    return Setting("right", str(info["redis_version"]))


def _mode(info: Mapping[str, object], *, in_cluster: bool) -> Setting:
    # Valkey's name for it comes second: Redis Enterprise and older ones have only the first
    mode = info.get("redis_mode") or info.get("server_mode")
    if mode is None:
        return Setting("unseen", advice="See that it is no cluster, where one script cannot reach all its keys.")
    if mode == "cluster" and not in_cluster:
        advice = "Redis runs as a cluster: set REDIS_CLUSTER to on, or use a single primary."
        return Setting("wrong", "cluster", advice)
    return Setting("right", str(mode))


def _role(info: Mapping[str, object]) -> Setting:
    role = info.get("role")
    if role is None:
        return Setting("unseen", advice="See that REDIS_URL names the primary, no replica.")
    if role != "master":
        return Setting("wrong", str(role), "Redis is a replica: let REDIS_URL name the primary.")
    return Setting("right", "primary")


def _memory(info: Mapping[str, object]) -> Setting:
    limit = info.get("maxmemory")
    if limit is None:
        return Setting("unseen", advice="See how much memory there is: here nobody is warned before it runs out.")
    return Setting("right", f"{limit} bytes" if limit else "no limit")


def _eviction(info: Mapping[str, object]) -> Setting:
    policy = info.get("maxmemory_policy") or info.get("maxmemory-policy")
    if not policy:
        return Setting("unseen", advice="See that the eviction policy is noeviction.")
    if policy != "noeviction":
        return Setting("wrong", str(policy), "Redis may evict events: set maxmemory-policy to noeviction.")
    return Setting("right", "noeviction")


def _append_only(info: Mapping[str, object]) -> Setting:
    enabled = info.get("aof_enabled", {"yes": 1, "no": 0}.get(str(info.get("appendonly"))))
    if enabled == 1:
        return Setting("right", "yes")
    # Redis Enterprise, which is known by that gap, keeps the file on the replica, and the primary truly has none.
    if enabled is None or _eviction(info).state == "unseen":
        return Setting("unseen", advice="See that an append-only file is kept, not snapshots alone.")
    return Setting("wrong", "no", "Redis forgets events when it restarts: set appendonly to yes.")


def _last_write(info: Mapping[str, object]) -> Setting:
    status = info.get("aof_last_write_status")
    if status is None:
        return Setting("unseen", advice="See that the disk of Redis has room.")
    if status != "ok":
        advice = "Redis could not write its append-only file: see its log and its disk."
        return Setting("wrong", str(status), advice)
    return Setting("right", "written")


def _sync(info: Mapping[str, object]) -> Setting:
    sync = info.get("appendfsync")
    if sync is None:
        return Setting("unseen", advice="See how often the append-only file is synced: always, or every second.")
    if sync == "no":
        advice = "Redis leaves its append-only file to the system: set appendfsync to always or everysec."
        return Setting("wrong", "no", advice)
    return Setting("right", str(sync))
