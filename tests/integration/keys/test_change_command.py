"""`python -m app keys change`, as the form of the page."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from tests.commands import Run, Succeed, fails_with_one_line, select

KEY = "SELECT name, rate_limit, expires_at FROM api_keys"
AUDIT = "SELECT action, subject FROM audit_log ORDER BY id"


@pytest.fixture
def key_id(succeed: Succeed) -> str:
    succeed("keys", "create", "--project", "demo", "--name", "first", "--limit", "10 per 2 minute")
    return "1"


def test_it_changes_what_is_given_and_leaves_the_rest(succeed: Succeed, database_url: str, key_id: str):
    assert succeed("keys", "change", key_id, "--name", "nightly") == "key 1 is changed\n"
    assert select(database_url, KEY) == [("nightly", "10 per 2 minute", None)]
    succeed("keys", "change", key_id, "--limit", "5/second")
    succeed("keys", "change", key_id, "--end", "2099-12-31")
    assert select(database_url, KEY) == [("nightly", "5/second", datetime(2100, 1, 1, tzinfo=UTC))]
    succeed("keys", "change", key_id, "--limit", "default", "--end", "never")
    assert select(database_url, KEY) == [("nightly", None, None)]
    changes = [str(subject) for action, subject in select(database_url, AUDIT) if action == "key changed"]
    assert [change.partition("): ")[2] for change in changes] == [
        "now called nightly",
        "limit 5/second instead of 10 per 2 minute",
        "ends 2100-01-01 00:00 UTC instead of never",
        "limit default instead of 5/second, ends never instead of 2100-01-01 00:00 UTC",
    ]


def test_it_works_with_a_redis_that_is_down_and_says_that_it_may_take_a_minute(
    succeed: Succeed, database_url: str, key_id: str
):
    told = succeed("keys", "change", key_id, "--name", "late", redis_url="redis://127.0.0.1:1")
    assert told == "key 1 is changed; Redis is full or down, so it may take another minute to hold\n"
    assert select(database_url, KEY)[0][0] == "late"


def test_what_redis_knew_of_the_key_is_known_anew(succeed: Succeed, redis_url: str, key_id: str):
    with redis.Redis.from_url(redis_url) as client:
        (record,) = client.keys("pa:api-key:*")
        before = client.get(record)
        succeed("keys", "change", key_id, "--limit", "5/second")
        assert client.get(record) not in (before, None)


@pytest.mark.parametrize(
    "bad",
    [
        ("--name", " "),
        ("--limit", "fast"),
        ("--end", "tomorrow"),
        ("--end", "9999-01-01"),
        ("--end", f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"),
    ],
)
def test_it_refuses_what_makes_no_sense(run: Run, database_url: str, key_id: str, bad: tuple[str, str]):
    before = select(database_url, KEY)
    finished = run("keys", "change", key_id, *bad)
    assert (finished.exit_code, f"Invalid value for '{bad[0]}'" in finished.stderr) == (2, True)
    assert run("keys", "change", key_id).exit_code == 2, "nothing is to change"
    assert select(database_url, KEY) == before


def test_a_key_that_is_not_there_or_is_revoked_is_not_changed(run: Run, succeed: Succeed, key_id: str):
    assert "no key with the id 7" in fails_with_one_line(run("keys", "change", "7", "--name", "x"))
    succeed("keys", "revoke", key_id)
    line = fails_with_one_line(run("keys", "change", key_id, "--name", "x"))
    assert line == "Error: the key 1 is revoked\n"
