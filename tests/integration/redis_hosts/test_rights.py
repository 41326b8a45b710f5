"""A user with no more rights than docs/managed-redis.md lists: everything works, and nothing is denied."""

import re
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest
import redis

from app.core.stream.state import STREAM
from app.local.redis_server import RunningRedis
from tests.api_keys import create_key
from tests.batches import EVENT, PATH, events, post
from tests.commands import run_command
from tests.conftest import StartProcess
from tests.processes import SECRET_KEY, AppProcess
from tests.redis_rights import PASSWORD, documented_rules, with_user
from tests.sign_in import signed_in_client
from tests.waiting import wait_until

NEVER_HERE = {
    "xclaim": "renews the claims of a batch that takes longer than some seconds",
    "unwatch": "undoes a WATCH where something goes wrong behind it",
}
"""Commands of the list that this test does not come to, each with what does."""


@pytest.fixture
def admin(redis_server: RunningRedis, clean_redis: None) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        client.execute_command("ACL", "SETUSER", "documented", "reset", f">{PASSWORD}", *documented_rules())
        client.acl_log_reset()
        client.config_resetstat()
        yield client
        client.acl_deluser("documented")


def denied(admin: redis.Redis) -> list[tuple[str, str]]:
    return [(str(entry["reason"]), str(entry["object"])) for entry in admin.acl_log()]


def used(admin: redis.Redis) -> set[str]:
    """With and without their subcommands, which Redis tells from version 7 on."""
    names = [name.removeprefix("cmdstat_") for name in admin.info("commandstats")]
    return {*names, *(name.partition("|")[0] for name in names)}


def stored(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM events").fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def redis_url(redis_server: RunningRedis, admin: redis.Redis) -> str:
    """With the documented rights, for every process of this file."""
    return with_user(redis_server.url, "documented")


@pytest.fixture
def run(database_url: str, redis_url: str) -> Callable[..., str]:
    """Runs a command; returns what it prints."""

    def run_well(*arguments: str) -> str:
        done = run_command(*arguments, database_url=database_url, redis_url=redis_url, secret_key=SECRET_KEY)
        assert done.exit_code == 0, done.output
        return str(done.stdout)

    return run_well


def send_all_kinds(web: AppProcess, key: str) -> int:
    """Returns how many events were taken."""
    with httpx.Client(base_url=web.url, headers={"Authorization": f"Bearer {key}"}) as client:
        once = [client.post(PATH, json=EVENT, headers={"Idempotency-Key": "once"}).status_code for _ in range(2)]
        assert [*once, client.post(PATH, json=EVENT).status_code] == [204] * 3
        assert client.post(PATH, json={}).status_code == 400
        assert post(client, events(5)).is_success
        assert post(client, events(900)).status_code == 429
    assert httpx.post(web.url + PATH, json=EVENT).status_code == 401
    return 7


@pytest.mark.timeout(240)
def test_everything_works_with_the_documented_rights(
    *, start: StartProcess, admin: redis.Redis, database_url: str, clean_database: None, run: Callable[..., str]
) -> None:
    web = start("web", web_concurrency="1")
    worker = start("worker")
    taken = send_all_kinds(web, create_key(database_url, rate_limit="100/minute"))
    admin.xadd(STREAM, {"e": "nonsense"})
    wait_until(lambda: stored(database_url) == taken and admin.xlen(STREAM) == 0, 80)
    with signed_in_client(web.url, database_url, project="demo", is_operator=True) as operator:
        for page in ("/dashboard/system", "/dashboard/refusals", "/dashboard/api-keys", "/readyz", "/metrics"):
            assert operator.get(page).status_code == 200, page
    for _ in range(2):
        assert "set aside again" in run("dead-letters", "replay", "--all")
    run("keys", "create", "--project", "demo", "--name", "second")
    (last,) = re.findall(r"^(\d+)", run("keys", "list"), re.MULTILINE)[-1:]
    run("keys", "change", last, "--limit", "5/minute")
    run("keys", "revoke", last)
    run("ledger")
    assert "on disk within a second" in run("status")
    listed = {rule[1:] for rule in documented_rules() if rule.startswith("+")}
    wait_until(lambda: listed - used(admin) <= {*NEVER_HERE, "unsubscribe"}, 80)
    worker.stop()
    assert worker.exit_code() == 0
    assert denied(admin) == []
    assert listed - used(admin) == set(NEVER_HERE)
