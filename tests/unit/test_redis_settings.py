"""What is made of the settings that hosts of Redis tell, and of those that they do not."""

from typing import Any

import pytest

from app.core.operations.redis_settings import acknowledgement_meaning, names_in, settings_of, settings_problem
from tests import hosted_redis as hosts

GOOD = {
    "redis_version": "7.0.15",
    "redis_mode": "standalone",
    "role": "master",
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "appendfsync": "everysec",
}
MEMORY_ONLY = "in memory only"
UNSEEN = "cannot be seen here"


def problem(info: dict[str, Any]) -> str:
    return settings_problem(settings_of(info)) or ""


@pytest.mark.parametrize("version", ["6.2.0", "6.2.14", "7.0.15", "8.10.1", "8.0-rc1", "255.255.255"])
def test_it_takes_redis_from_6_2_on(version: str) -> None:
    assert problem({**GOOD, "redis_version": version}) == ""


@pytest.mark.parametrize("version", ["6.0.20", "5.0.7", "2.8.24"])
def test_it_refuses_an_older_redis(version: str) -> None:
    assert "older than 6.2" in problem({**GOOD, "redis_version": version})


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "set maxmemory-policy to noeviction"),
        ({"maxmemory_policy": "volatile-ttl"}, "set maxmemory-policy to noeviction"),
        ({"aof_enabled": 0}, "set appendonly to yes"),
        ({"aof_last_write_status": "err"}, "see its log and its disk"),
        ({"appendfsync": "no"}, "set appendfsync to always or everysec"),
        ({"role": "slave"}, "let REDIS_URL name the primary"),
        ({"redis_mode": "cluster"}, "use a single primary"),
        ({"redis_mode": None, "server_mode": "cluster"}, "use a single primary"),
    ],
)
def test_it_says_what_to_do_about_a_wrong_setting(wrong: dict[str, Any], advice: str) -> None:
    assert advice in problem({**GOOD, **wrong})


def test_it_names_all_wrong_settings_at_once() -> None:
    found = problem({**GOOD, "maxmemory_policy": "allkeys-lru", "aof_enabled": 0})
    assert "maxmemory-policy" in found
    assert "appendonly" in found


def test_what_is_right_needs_no_advice() -> None:
    settings = settings_of(GOOD)
    assert names_in(settings, "right") == list(settings)
    assert {setting.advice for setting in settings.values()} == {""}


@pytest.mark.parametrize("info", [{}, {"redis_version": "unknown"}])
def test_a_server_that_says_nothing_is_neither_right_nor_wrong_and_each_setting_says_what_to_look_for(
    info: dict[str, Any],
) -> None:
    settings = settings_of(info)
    assert names_in(settings, "unseen") == list(settings)
    assert all(setting.advice for setting in settings.values())
    assert settings_problem(settings) is None
    assert acknowledgement_meaning(settings).startswith(UNSEEN)


def test_config_tells_what_info_leaves_out() -> None:
    told = {"maxmemory-policy": "allkeys-lru", "appendonly": "no"}
    settings = settings_of(told)
    assert names_in(settings, "wrong") == ["maxmemory-policy", "appendonly"]
    assert settings_of({"maxmemory-policy": "noeviction", "appendonly": "yes"})["appendonly"].state == "right"


@pytest.mark.parametrize(
    ("told", "meaning"),
    [
        ({"aof_enabled": 0, "appendfsync": "always"}, MEMORY_ONLY),
        ({"appendfsync": "always"}, "on disk: Redis syncs"),
        ({"appendfsync": "everysec"}, "on disk within a second"),
        ({"appendfsync": "no"}, "when the system pleases"),
        ({"appendfsync": None}, "how soon cannot be seen here"),
    ],
)
def test_what_a_204_means_is_told(told: dict[str, Any], meaning: str) -> None:
    assert meaning in acknowledgement_meaning(settings_of({**GOOD, **told}))


@pytest.mark.parametrize(
    ("answer", "wrong", "unseen", "meaning"),
    [
        (hosts.HEROKU_PREMIUM, [], ["appendfsync"], "on disk: how soon"),
        (hosts.HEROKU_MINI, ["appendonly"], [], MEMORY_ONLY),
        (hosts.REDIS_CLOUD, [], ["maxmemory", "maxmemory-policy", "appendonly", "appendfsync"], UNSEEN),
        (hosts.ELASTICACHE, ["maxmemory-policy", "appendonly"], [], MEMORY_ONLY),
        (hosts.MEMORYSTORE_REDIS, ["maxmemory-policy", "appendonly"], [], MEMORY_ONLY),
        (hosts.MEMORYSTORE_VALKEY, [], ["appendfsync"], "on disk: how soon"),
        (
            hosts.UPSTASH,
            [],
            ["mode", "role", "maxmemory", "maxmemory-policy", "appendonly", "appendfsync"],
            UNSEEN,
        ),
    ],
    ids=["heroku", "heroku-mini", "redis-cloud", "elasticache", "memorystore", "memorystore-valkey", "upstash"],
)
def test_hosts_that_forbid_config(answer: str, wrong: list[str], unseen: list[str], meaning: str) -> None:
    settings = settings_of(hosts.decoded(answer))
    assert names_in(settings, "wrong") == wrong
    assert names_in(settings, "unseen") == unseen
    assert meaning in acknowledgement_meaning(settings)


def test_redis_cloud_with_an_append_only_file_of_the_primary() -> None:
    settings = settings_of(hosts.decoded(hosts.REDIS_CLOUD.replace("aof_enabled:0", "aof_enabled:1")))
    assert settings["appendonly"].state == "right"
    assert settings_problem(settings) is None


def test_valkey_8_with_nothing_forbidden() -> None:
    settings = settings_of(hosts.decoded(hosts.VALKEY_8) | hosts.CONFIG_OF_VALKEY_8)
    assert names_in(settings, "right") == list(settings)
    assert acknowledgement_meaning(settings).startswith("on disk within a second")
