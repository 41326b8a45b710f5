"""/dashboard/api-keys: what the list tells, and what it keeps to itself."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
import redis

from app.core.keys.api_key import hash_key
from app.core.keys.uses import LAST_USED
from app.core.operations.tallies import EVENTS_BY_KEY, add_counts, five_minutes_of
from app.local.redis_server import RunningRedis
from tests.api_keys import create_key, skip_key_ids
from tests.api_keys_page import PAGE, create, key_in, send, status_with
from tests.frozen import frozen
from tests.sign_in import csrf_token, signed_in_client
from tests.waiting import wait_until

REVOKE_SOME = """
UPDATE api_keys SET revoked_at = now()
WHERE id IN (SELECT id FROM api_keys WHERE project_id = %(project_id)s LIMIT %(keys)s)
"""

pytestmark = pytest.mark.usefixtures("clean_redis")


def test_the_list_tells_how_much_and_when_a_key_was_used(admin, stored, redis_client: redis.Redis):
    create(admin)
    ((key_id, *_),) = stored()
    assert ">never<" in admin.get(PAGE).text
    bucket = five_minutes_of(datetime.now(UTC).timestamp())
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
    told = [json.loads(line) for line in log.splitlines() if '"API key ' in line]
    assert all(line.get("request_id") for line in told), "also what a thread of the request has logged"
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


def test_the_keys_are_listed_and_a_key_is_revoked_while_redis_hangs(admin, stored, redis_server: RunningRedis):
    create(admin, name="nightly batch")
    ((key_id, *_),) = stored()
    token = csrf_token(admin)
    with frozen(redis_server.pid):
        listed = admin.get(PAGE)
        answer = admin.post(f"{PAGE}/{key_id}/revoke", data={"csrf_token": token})
    assert (listed.status_code, "nightly batch" in listed.text) == (200, True)
    assert (answer.status_code, "Redis is full or down: it may work for another minute" in answer.text) == (200, True)
    assert stored()[0][5] is not None, "it is revoked in PostgreSQL"


def test_a_long_list_has_pages_and_the_download_all_of_it(admin, database_url, project, *, project_id):
    for _ in range(230):
        create_key(database_url, project=project)
    with psycopg.connect(database_url) as connection:
        connection.execute(REVOKE_SOME, {"project_id": project_id, "keys": 20})
    pages = [admin.get(PAGE, params={"page": page}) for page in ("1", "2", "3", "4", "0", "x", "9" * 99)]
    prefixes = [re.findall(r"<code class=\"key-prefix\">([^…]+)…", answer.text) for answer in pages]
    assert [len(found) for found in prefixes] == [100, 100, 30, 30, 100, 100, 100]
    assert len({*prefixes[0], *prefixes[1], *prefixes[2]}) == 230
    assert all("210 in use or expired, 20 revoked; page" in answer.text for answer in pages)
    assert ["Previous<" in answer.text for answer in pages[:3]] == [False, True, True]
    assert ["Next<" in answer.text for answer in pages[:3]] == [True, True, False]
    download = admin.get(f"{PAGE}.csv").content.decode("utf-8-sig")
    assert len(list(csv.DictReader(io.StringIO(download)))) == 230


def test_a_page_that_has_revoked_keys_only_says_where_the_others_are(admin, database_url, project, *, project_id):
    for _ in range(150):
        create_key(database_url, project=project)
    with psycopg.connect(database_url) as connection:
        connection.execute(REVOKE_SOME, {"project_id": project_id, "keys": 100})
    assert "Only revoked keys" in admin.get(PAGE, params={"page": "2"}).text
