""""""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import redis

from app.core.keys.api_key import hash_key, is_well_formed
from app.core.migrations import SCHEMA_REVISION
from app.local.postgres import RunningPostgres
from tests.api_keys import create_key
from tests.commands import Run, Succeed, fails_with_one_line, select
from tests.databases import new_database
from tests.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]


NOWHERE = "127.0.0.1:1"


EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v1"}


def test_migrate_says_what_it_did(run: Run, succeed: Succeed, postgres: RunningPostgres):
    with new_database(postgres.url) as empty:
        refused = run("keys", "list", database_url=empty)
        assert "run `python -m app migrate`" in fails_with_one_line(refused)
        assert (
            succeed("migrate", database_url=empty)
            == f"migrated the database from nothing to revision {SCHEMA_REVISION}\n"
        )
        assert succeed("migrate", database_url=empty) == f"the database was at revision {SCHEMA_REVISION} already\n"
        assert succeed("keys", "list", database_url=empty).startswith("ID  PROJECT")


def test_keys_create_prints_the_key_and_nothing_else(succeed: Succeed, database_url: str):
    key = succeed("keys", "create", "--project", "demo", "--name", "first")
    assert key.endswith("\n")
    assert is_well_formed(key.strip())
    query = """
        SELECT projects.name, api_keys.name, key_hash, scopes, rate_limit
        FROM api_keys JOIN projects ON projects.id = project_id
    """
    assert select(database_url, query) == [("demo", "first", hash_key(key.strip()), ["ingest"], None)]


def test_keys_create_takes_scopes_and_a_limit(succeed: Succeed, database_url: str):
    scopes = ("--scope", "read", "--scope", "ingest", "--scope", "read")
    succeed("keys", "create", "--project", "demo", "--name", "first", *scopes, "--limit", "600/minute")
    assert select(database_url, "SELECT scopes, rate_limit FROM api_keys") == [(["ingest", "read"], "600/minute")]


def test_keys_of_one_project_share_it(succeed: Succeed, database_url: str):
    succeed("keys", "create", "--project", "demo", "--name", "first")
    succeed("keys", "create", "--project", " demo ", "--name", "second")
    assert select(database_url, "SELECT name FROM projects") == [("demo",)]
    assert select(database_url, "SELECT count(DISTINCT project_id), count(*) FROM api_keys") == [(1, 2)]


@pytest.mark.parametrize(
    "bad",
    [
        ("--limit", "fast"),
        ("--limit", "0/minute"),
        ("--limit", ""),
        ("--limit", "1/minute;1/second"),
        ("--scope", "write"),
        ("--name", " "),
        ("--name", "a\nb"),
        ("--project", ""),
    ],
)
def test_keys_create_refuses_a_bad_option_before_it_makes_anything(run: Run, database_url: str, bad: tuple[str, str]):
    finished = run("keys", "create", "--project", "demo", "--name", "first", *bad)
    assert finished.exit_code == 2
    assert f"Invalid value for '{bad[0]}'" in finished.stderr
    assert select(database_url, "SELECT count(*) FROM projects") == [(0,)]


def test_keys_list_shows_no_more_of_a_key_than_its_beginning(succeed: Succeed):
    key = succeed("keys", "create", "--project", "demo", "--name", "first", "--limit", "5/second").strip()
    lines = succeed("keys", "list").splitlines()
    assert lines[0].split() == ["ID", "PROJECT", "NAME", "KEY", "SCOPES", "LIMIT", "CREATED", "STATE"]
    assert lines[1].split()[:6] == ["1", "demo", "first", f"{key[:14]}…", "ingest", "5/second"]
    assert lines[1].split()[7] == "active"
    assert key[:15] not in lines[1]


def test_keys_list_tells_revoked_and_expired_keys(succeed: Succeed, database_url: str):
    create_key(database_url, expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    create_key(database_url)
    succeed("keys", "revoke", "2")
    states = [line.split()[7] for line in succeed("keys", "list").splitlines()[1:]]
    assert states == ["expired", "revoked"]


def test_a_new_key_works_also_from_an_address_with_too_many_failures(succeed: Succeed, web: str, clean_redis: None):
    with httpx.Client(base_url=web) as client:
        wait_until(lambda: client.get("/api/v1/prompts/analytics").status_code == 429)
        key = succeed("keys", "create", "--project", "demo", "--name", "first").strip()
        answer = client.post("/api/v1/prompts/analytics", json=EVENT, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 204


def test_a_revoked_key_stops(succeed: Succeed, web: str):
    key = succeed("keys", "create", "--project", "demo", "--name", "first").strip()
    with httpx.Client(base_url=web, headers={"Authorization": f"Bearer {key}"}) as client:

        def status() -> int:
            return client.post("/api/v1/prompts/analytics", json=EVENT).status_code

        # the test before may have restarted the database under the web process
        wait_until(lambda: status() == 204)
        assert succeed("keys", "revoke", "1") == "key 1 is revoked\n"
        wait_until(lambda: status() == 401, timeout_seconds=5)
        # every process has let go of it by now
        assert [status() for _ in range(10)] == [401] * 10


def test_revoking_twice_keeps_the_first_time(succeed: Succeed, database_url: str):
    create_key(database_url)
    succeed("keys", "revoke", "1")
    first = select(database_url, "SELECT revoked_at FROM api_keys")
    succeed("keys", "revoke", "1")
    assert select(database_url, "SELECT revoked_at FROM api_keys") == first


def test_revoking_says_that_there_is_no_such_key(run: Run):
    assert fails_with_one_line(run("keys", "revoke", "7")) == "Error: there is no key with the id 7\n"


def test_revoking_without_redis_still_revokes(run: Run, database_url: str):
    create_key(database_url)
    finished = run("keys", "revoke", "1", redis_url=f"redis://:hunter2@{NOWHERE}")
    assert finished.exit_code == 0
    assert "Redis is full or down, so it may work for another minute" in finished.output
    assert select(database_url, "SELECT revoked_at IS NOT NULL FROM api_keys") == [(True,)]


def test_revoking_without_postgresql_says_that_the_key_may_still_be_valid(run: Run):
    line = fails_with_one_line(run("keys", "revoke", "1", database_url=f"postgres://pa:hunter2@{NOWHERE}/pa"))
    assert "PostgreSQL does not answer" in line
    assert "hunter2" not in line


def test_revoking_in_a_full_redis_still_revokes(succeed: Succeed, database_url: str, redis_url: str):
    create_key(database_url)
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory", 1)
        assert "may work for another minute" in succeed("keys", "revoke", "1")
        client.config_set("maxmemory", 0)
    assert select(database_url, "SELECT revoked_at IS NOT NULL FROM api_keys") == [(True,)]


@pytest.mark.parametrize("command", [("migrate",), ("keys", "list"), ("keys", "revoke", "1"), ("dead-letters", "list")])
def test_without_postgresql_a_command_ends_with_one_line(run: Run, command: tuple[str, ...]):
    line = fails_with_one_line(run(*command, database_url=f"postgres://pa:hunter2@{NOWHERE}/pa"))
    assert "PostgreSQL does not answer" in line
    assert "hunter2" not in line


def test_wrong_settings_are_named_without_a_traceback(run: Run):
    finished = run("status", secret_key="short", port="http")
    assert finished.exit_code == 1
    assert finished.stderr.splitlines()[0] == "Error: Wrong settings in the environment:"
    assert finished.stderr.splitlines()[1:] == [
        "  PORT: Not a valid integer.",
        "  SECRET_KEY: Must have at least 32 characters.",
    ]


def test_the_commands_are_a_program(database_url: str, redis_url: str):
    def run_program(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            cwd=REPOSITORY,
            env={"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "s" * 32},
            capture_output=True,
            text=True,
            check=False,
        )

    assert json.loads(run_program("status", "--json").stdout).keys() >= {"buffer_depth", "dead_letters"}
    assert run_program("keys", "revoke", "999999").stderr == "Error: there is no key with the id 999999\n"
    assert "dead-letters" in run_program("--help").stdout
