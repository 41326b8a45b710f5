"""/dashboard/api-keys over HTTP: what admins can do, what members see, and that a key is shown once."""

import csv
import html
import io
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import redis

from app.core.keys.api_key import hash_key, is_well_formed
from app.core.keys.uses import LAST_USED
from app.core.operations.tallies import EVENTS_BY_KEY, add_counts, bucket_of
from app.core.stream.events import Event
from app.local.redis_server import RunningRedis
from tests.api_keys import create_key, skip_key_ids
from tests.frozen import frozen
from tests.sign_in import create_project, csrf_token, signed_in_client
from tests.waiting import wait_until

PAGE = "/dashboard/api-keys"
API = "/api/v1/prompts/analytics"
EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}
KEY = re.compile(r"eg_live_[0-9A-Za-z]{38}")
SELECT_KEYS = """
SELECT api_keys.id, name, scopes, rate_limit, expires_at, revoked_at, rotated_from, users.email
FROM api_keys LEFT JOIN users ON users.id = created_by
WHERE project_id = %s
ORDER BY api_keys.id
"""

pytestmark = pytest.mark.usefixtures("clean_redis")


@pytest.fixture
def project() -> str:
    return f"keys-{uuid4()}"


@pytest.fixture
def admin(web: str, database_url: str, project: str) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url, project=project) as client:
        yield client


@pytest.fixture
def member(web: str, database_url: str, project: str) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url, project=project, role="member") as client:
        yield client


@pytest.fixture
def project_id(database_url: str, project: str) -> int:
    return create_project(database_url, project)


@pytest.fixture
def stored(database_url: str, project_id: int) -> Callable[[], list[tuple[Any, ...]]]:
    """Calling it returns the keys of the project."""

    def read() -> list[tuple[Any, ...]]:
        with psycopg.connect(database_url) as connection:
            return connection.execute(SELECT_KEYS, [project_id]).fetchall()

    return read


def send(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    return client.post(path, data={"csrf_token": csrf_token(client, PAGE)} | fields, follow_redirects=False)


def create(client: httpx.Client, **fields: str) -> httpx.Response:
    return send(client, PAGE, **({"name": "ci", "ingest": "y", "expiry": "never", "once": uuid4().hex} | fields))


def key_in(answer: httpx.Response) -> str:
    found = set(KEY.findall(answer.text))
    assert len(found) == 1, answer.text
    return str(found.pop())


def status_with(web: str, key: str) -> int:
    return httpx.post(web + API, json=EVENT, headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_key_that_an_admin_creates_works_at_once_and_is_shown_once(web, admin, stored):
    answer = create(admin, name=" nightly batch ", read="y", limit="600", unit="hour")
    key = key_in(answer)
    assert (answer.status_code, is_well_formed(key)) == (200, True)
    assert answer.headers["Cache-Control"] == "no-store"
    assert key not in str(answer.headers)
    assert key not in str(answer.url)
    assert status_with(web, key) == 204
    assert key not in admin.get(PAGE).text
    ((_, name, scopes, rate_limit, expires_at, _, _, email),) = stored()
    assert (name, scopes, rate_limit, expires_at) == ("nightly batch", ["ingest", "read"], "600/hour", None)
    assert email.startswith("admin@")


def test_a_form_that_is_sent_twice_makes_one_key_and_shows_it_once(admin, stored):
    once = uuid4().hex
    assert create(admin, once=once).status_code == 200
    again = create(admin, once=once)
    assert (again.status_code, KEY.search(again.text)) == (303, None)
    assert len(stored()) == 1
    assert "shown only once" in admin.get(PAGE).text


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "a\x00b"},
        {"name": "a\u202eb"},
        {"name": "n" * 201},
        {"ingest": ""},
        {"limit": "0"},
        {"limit": "-5"},
        {"limit": "many"},
        {"limit": "99999999999"},
        {"limit": "5", "unit": "fortnight"},
        {"expiry": "tomorrow"},
        {"expiry": "day"},
        {"expiry": "day", "day": "soon"},
        {"expiry": "day", "day": "2020-01-01"},
        {"expiry": "day", "day": "9999-12-31"},
    ],
)
def test_what_is_wrong_with_the_form_is_said_and_no_key_is_made(admin, stored, wrong):
    answer = create(admin, **wrong)
    assert answer.status_code == 400
    assert 'class="error"' in answer.text
    assert stored() == []


@pytest.mark.parametrize(
    ("fields", "days"), [({"expiry": "30"}, 30), ({"expiry": "365"}, 365), ({"expiry": "30", "day": "2020-01-01"}, 30)]
)
def test_a_key_may_expire_after_some_days(admin, stored, fields, days):
    create(admin, **fields)
    ((*_, expires_at, _, _, _),) = stored()
    assert abs(expires_at - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=1)


def test_a_key_that_expires_on_a_day_works_until_its_end(admin, stored):
    today = datetime.now(UTC).date()
    create(admin, expiry="day", day=today.isoformat())
    ((*_, expires_at, _, _, _),) = stored()
    assert (expires_at.date(), expires_at.hour, expires_at.minute) == (today + timedelta(days=1), 0, 0)


def test_the_shown_curl_and_python_send_an_event_as_they_stand(
    web: str, admin: httpx.Client, buffered: Callable[[], list[Event]]
):
    shown = create(admin).text
    curl = shown_code(shown, "curl")
    finished = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, check=True, timeout=20)
    assert "204" in finished.stdout.splitlines()[0]
    assert curl.startswith(f"curl -i {web}{API} ")
    finished = subprocess.run(
        [sys.executable, "-c", shown_code(shown, "python")], capture_output=True, text=True, check=True, timeout=20
    )
    assert finished.stdout == "204\n"
    assert {(str(event.prompt_id), event.version_hash) for event in buffered()} == {
        ("7d6f2f6e-3f0e-4c7e-9d3a-1c2b3a4d5e6f", "v1")
    }
    assert "process.env" not in shown_code(shown, "typescript")


def test_the_code_for_a_key_that_may_only_read_reads(admin):
    shown = create(admin, ingest="", read="y").text
    curl = subprocess.run(
        ["sh", "-c", shown_code(shown, "curl")], capture_output=True, text=True, check=True, timeout=20
    )
    assert '"success":true' in curl.stdout
    python = shown_code(shown, "python")
    finished = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, check=True, timeout=20)
    assert "'events': 0" in finished.stdout


def shown_code(page: str, language: str) -> str:
    found = re.search(rf'<code id="code-{language}">(.*?)</code>', page, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


def test_a_revoked_key_stops(web, admin, stored):
    key = key_in(create(admin))
    ((key_id, *_),) = stored()
    assert status_with(web, key) == 204
    question = admin.get(f"{PAGE}/{key_id}/revoke")
    assert "Revoke for good" in question.text
    assert status_with(web, key) == 204
    assert send(admin, f"{PAGE}/{key_id}/revoke").status_code == 303
    # both processes are asked: each call has a connection of its own
    wait_until(lambda: 204 not in {status_with(web, key) for _ in range(8)}, timeout_seconds=5)
    assert "is revoked" in admin.get(PAGE).text


def test_a_rotated_key_and_its_successor_both_work_and_the_list_says_until_when(web, admin, stored):
    old = key_in(create(admin, limit="600"))
    ((old_id, *_),) = stored()
    assert "works for" not in admin.get(PAGE).text
    answer = send(admin, f"{PAGE}/{old_id}/rotate", overlap="1h", expiry="90")
    new = key_in(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    assert [status_with(web, key) for key in (old, new)] == [204, 204]
    before, after = stored()
    assert abs(before[4] - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)
    assert abs(after[4] - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
    assert after[1:4] == before[1:4]
    assert after[6] == old_id
    listed = " ".join(admin.get(PAGE).text.split())
    assert f"replaced by <code>{new[:14]}…</code>, works until" in listed
    assert f"{before[4]:%Y-%m-%d %H:%M} UTC" in listed


def test_a_rotation_that_is_sent_twice_makes_one_key(admin, stored):
    create(admin)
    ((key_id, *_),) = stored()
    assert send(admin, f"{PAGE}/{key_id}/rotate", overlap="24h", expiry="never").status_code == 200
    again = send(admin, f"{PAGE}/{key_id}/rotate", overlap="24h", expiry="never")
    assert (again.status_code, KEY.search(again.text)) == (303, None)
    assert len(stored()) == 2
    assert "rotated already" in admin.get(PAGE).text
    assert "Rotate its successor" in admin.get(f"{PAGE}/{key_id}/rotate").text


@pytest.mark.parametrize("wrong", [{"overlap": "10y"}, {"overlap": ""}, {"overlap": "1h", "expiry": "day"}])
def test_a_wrong_rotation_form_changes_nothing(admin, stored, wrong):
    create(admin)
    before = stored()
    assert send(admin, f"{PAGE}/{before[0][0]}/rotate", **({"expiry": "never"} | wrong)).status_code == 400
    assert stored() == before


def test_a_member_sees_the_keys_and_changes_none(admin, member, stored):
    create(admin, name="nightly batch")
    listed = member.get(PAGE)
    assert "nightly batch" in listed.text
    assert "Revoke" not in listed.text
    assert "Create a key" not in listed.text
    before = stored()
    key_id = before[0][0]
    for path in (PAGE, f"{PAGE}/{key_id}/revoke", f"{PAGE}/{key_id}/rotate"):
        assert member.post(path, data={"csrf_token": csrf_token(member)}).status_code == 403
    for path in (f"{PAGE}/{key_id}/revoke", f"{PAGE}/{key_id}/rotate"):
        assert member.get(path).status_code == 403
    assert stored() == before


def test_a_key_of_another_project_is_not_there(web, database_url, admin, stored):
    create(admin)
    ((key_id, *_),) = stored()
    with signed_in_client(web, database_url, project=f"other-{uuid4()}") as stranger:
        assert "Keys of this project" in stranger.get(PAGE).text
        for action in ("revoke", "rotate"):
            assert stranger.get(f"{PAGE}/{key_id}/{action}").status_code == 404
            answer = send(stranger, f"{PAGE}/{key_id}/{action}", overlap="1h", expiry="never")
            assert answer.status_code == 404
        for key in (0, 2**31, 2**63, 10**30):
            assert stranger.get(f"{PAGE}/{key}/revoke").status_code == 404
    assert stored()[0][4:6] == (None, None)
    assert len(stored()) == 1


def test_the_list_tells_how_much_and_when_a_key_was_used(admin, stored, redis_client: redis.Redis):
    create(admin)
    ((key_id, *_),) = stored()
    assert ">never<" in admin.get(PAGE).text
    bucket = bucket_of(datetime.now(UTC).timestamp())
    counts = {(bucket, str(key_id)): 1_000, (bucket - 3_600, str(key_id)): 234, (bucket, str(key_id + 1)): 5}
    add_counts(redis_client, EVENTS_BY_KEY, counts)
    redis_client.hset(LAST_USED, str(key_id), int(datetime.now(UTC).timestamp()) - 3_600 * 5)
    listed = admin.get(PAGE).text
    assert ">1,234<" in listed
    assert "5\xa0h\xa0ago" in listed


def test_using_a_key_is_noted_within_seconds(web, database_url, admin, *, stored, redis_client: redis.Redis):
    skip_key_ids(database_url)
    key = key_in(create(admin))
    ((key_id, *_),) = stored()
    assert redis_client.hget(LAST_USED, str(key_id)) is None
    assert status_with(web, key) == 204
    wait_until(lambda: redis_client.hget(LAST_USED, str(key_id)))


def test_hostile_names_are_inert_on_the_page_and_in_the_download(database_url, admin, project_id):
    hostile = ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "\u202egpj.exe", '"><svg onload=alert(1)>']
    with psycopg.connect(database_url) as connection:
        for name in hostile:
            connection.execute(
                "INSERT INTO api_keys (project_id, name, key_hash, prefix, scopes) "
                "VALUES (%s, %s, %s, 'eg_live_x', '{ingest}')",
                [project_id, name, hash_key(str(uuid4()))],
            )
    listed = admin.get(PAGE).text
    assert "<script>alert" not in listed
    assert "<svg onload" not in listed
    rows = list(csv.DictReader(io.StringIO(admin.get(f"{PAGE}.csv").content.decode("utf-8-sig"))))
    assert len(rows) == len(hostile)
    assert all(not row["name"].startswith(("=", "+", "-", "@")) for row in rows)


def test_the_download_has_what_the_table_shows(admin, stored):
    create(admin, name="first", limit="5", unit="second")
    create(admin, name="second", expiry="30")
    send(admin, f"{PAGE}/{stored()[0][0]}/revoke")
    answer = admin.get(f"{PAGE}.csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["name"], row["state"], row["rate_limit"]) for row in rows] == [
        ("second", "active", ""),
        ("first", "revoked", "5/second"),
    ]
    assert datetime.fromisoformat(rows[0]["expires_at"]) == stored()[1][4]


def test_neither_logs_nor_anything_else_keep_a_key(start, database_url, redis_client: redis.Redis):
    process = start("web", web_concurrency="1", log_level="debug")
    with signed_in_client(process.url, database_url, project=f"logs-{uuid4()}") as admin:
        keys = [key_in(create(admin)), key_in(create(admin, expiry="30"))]
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT id FROM api_keys WHERE key_hash = %s", [hash_key(keys[0])]).fetchone()
        assert row is not None
        key_id = row[0]
        keys.append(key_in(send(admin, f"{PAGE}/{key_id}/rotate", overlap="7d", expiry="never")))
        send(admin, f"{PAGE}/{key_id}/revoke")
        for key in keys:
            status_with(process.url, key)
        cookies = str(admin.cookies)
    wait_until(lambda: "API key revoked" in process.log())
    log = process.log()
    assert log.count("API key created") == 2
    assert log.count("API key rotated") == 1
    assert f'"key_id": {key_id}' in log
    in_redis = " ".join(name.decode() for name in redis_client.scan_iter())
    for key in keys:
        assert key not in log + cookies + in_redis
        assert hash_key(key).hex() not in log


def test_a_key_of_the_command_line_is_listed_as_such(database_url, admin, project):
    create_key(database_url, project=project)
    assert "command line" in admin.get(PAGE).text


def test_a_key_is_made_while_redis_is_full_and_works_after_it(web, admin, redis_client: redis.Redis):
    token = csrf_token(admin)
    redis_client.config_set("maxmemory", 1)
    form = {"csrf_token": token, "name": "ci", "ingest": "y", "expiry": "never", "once": uuid4().hex}
    key = key_in(admin.post(PAGE, data=form))
    redis_client.config_set("maxmemory", 0)
    assert status_with(web, key) == 204


def test_the_keys_are_listed_and_a_failed_revocation_is_told_while_redis_hangs(
    admin, stored, redis_server: RunningRedis
):
    create(admin, name="nightly batch")
    ((key_id, *_),) = stored()
    token = csrf_token(admin)
    with frozen(redis_server.pid):
        listed = admin.get(PAGE)
        answer = admin.post(f"{PAGE}/{key_id}/revoke", data={"csrf_token": token})
    assert (listed.status_code, "nightly batch" in listed.text) == (200, True)
    assert (answer.status_code, "may still be valid" in answer.text) == (503, True)
    assert stored()[0][5] is None
