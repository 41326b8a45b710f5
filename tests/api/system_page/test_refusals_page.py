"""/dashboard/refusals: why a client is refused, and nothing of what it sent."""

import csv
import io
import json
import re
from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
import redis

from app.core.operations.refusal_log import BURST, REFUSED
from app.local.redis_server import RunningRedis
from tests.api_keys import create_key
from tests.api_keys_page import API, EVENT, create, key_in, send
from tests.conftest import StartProcess
from tests.dumps import dump_redis
from tests.frozen import frozen
from tests.sign_in import signed_in_client
from tests.system_page import text
from tests.waiting import wait_until

PAGE = "/dashboard/refusals"

pytestmark = pytest.mark.usefixtures("clean_redis")


@pytest.fixture
def post(web: str) -> Callable[..., httpx.Response]:
    """Calling it sends an event, or what else is given, with a key."""

    def call(key: str, path: str = API, **request) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} | request.pop("headers", {})
        return httpx.post(web + path, headers=headers, **request)

    return call


def rows_of(client: httpx.Client, **query: str) -> list[dict[str, str]]:
    answer = client.get(f"{PAGE}.csv", params=query)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_every_refusal_of_a_known_key_is_told_with_code_fields_and_request_id(database_url, admin, post, project):
    key, narrow, reader = (
        create_key(database_url, project=project, **how) for how in ({}, {"rate_limit": "1/hour"}, {"scopes": ["read"]})
    )
    batch = {"events": [EVENT, EVENT | {"score": "x"}, {"version_hash": "v", "score": None}]}
    marks = {"Idempotency-Key": str(uuid4())}
    assert post(key, json=EVENT, headers=marks).status_code == 204
    answers = [
        post(key, json={"prompt_id": 1}),
        post(key, f"{API}/batch", json=batch),
        post(key, content=b"{", headers={"Content-Type": "application/json"}),
        post(key, content=b"x" * 20_000, headers={"Content-Type": "application/json"}),
        post(key, content=b"x"),
        post(key, json=EVENT | {"version_hash": "other"}, headers=marks),
        [post(narrow, json=EVENT) for _ in range(2)][1],
        post(reader, json=EVENT),
    ]
    wait_until(lambda: len(rows_of(admin)) == len(answers))
    expected = {
        answer.headers["X-Request-Id"]: (str(answer.status_code), answer.json()["error"]["code"]) for answer in answers
    }
    rows = {row["request_id"]: row for row in rows_of(admin)}
    assert {name: (row["status"], row["code"]) for name, row in rows.items()} == expected
    told = [rows[answer.headers["X-Request-Id"]] for answer in answers]
    assert [row["fields"] for row in told[:3]] == [
        "prompt_id, version_hash",
        "events[].score, events[].prompt_id",
        "body",
    ]
    assert [row["call"] for row in told[:3]] == ["event", "batch", "event"]
    assert "version_hash: Is required." in told[0]["problems"]
    assert {row["prefix"] for row in told} == {each[:14] for each in (key, narrow, reader)}


def test_the_client_of_a_revoked_and_of_an_expired_key_is_told_of(admin, post, project_id):
    keys = [key_in(create(admin, name=name)) for name in ("gone", "spare")]
    listed = admin.get("/dashboard/api-keys").text
    key_id = re.findall(r"/dashboard/api-keys/(\d+)/revoke", listed)[1]
    assert send(admin, f"/dashboard/api-keys/{key_id}/revoke").status_code == 303
    refused = wait_until(lambda: (found := post(keys[0], json=EVENT)).status_code == 401 and found)
    assert refused.json()["error"]["code"] == "UNAUTHORIZED"
    wait_until(lambda: [row["prefix"] for row in rows_of(admin, code="UNAUTHORIZED")] == [keys[0][:14]])
    assert "with one that is revoked" in admin.get(PAGE).text


def test_nothing_that_a_client_sent_is_kept(web, database_url, redis_url, admin, *, post, project):
    key = create_key(database_url, project=project, scopes=["ingest", "read"])
    secret = uuid4().hex
    post(key, json={secret: secret, "prompt_id": secret, "version_hash": f"{secret}\0", "score": secret})
    post(key, f"{API}/batch", json={"events": [{secret: 1}, {"prompt_id": secret}, secret], secret: 1})
    post(key, content=f'{{"{secret}', headers={"Content-Type": "application/json", "User-Agent": secret})
    post(key, json={}, params={secret: secret}, headers={"Idempotency-Key": f"{secret} {secret}", "Cookie": secret})
    with httpx.Client(base_url=web, headers={"Authorization": f"Bearer {key}"}) as reader:
        for query in (
            {secret: "1"},
            {secret: ["1", "2"]},
            {f"from[{secret}]": "1"},
            {f"{secret}-{n}": "" for n in range(100)},
        ):
            assert reader.get(API, params=query).status_code == 400
        assert reader.get(f"{API}/{secret}x/comparison", params={secret: secret}).status_code == 400
    wait_until(lambda: len(rows_of(admin)) == 9)
    assert {row["fields"] for row in rows_of(admin) if row["call"] == "read"} == {"(unknown field)", "prompt_id"}
    assert secret not in dump_redis(redis_url)
    assert secret not in admin.get(PAGE).text + admin.get(f"{PAGE}.csv").text


def test_an_accepted_event_leaves_nothing(database_url, redis_client: redis.Redis, admin, post, *, project, project_id):
    key = create_key(database_url, project=project)
    assert post(key, json=EVENT).status_code == 204
    post(key, json={})
    wait_until(lambda: rows_of(admin))
    assert redis_client.zcard(f"{REFUSED}:{project_id}") == 1


def test_it_is_filtered_by_key_code_time_and_request(database_url, admin, post, project):
    keys = [create_key(database_url, project=project) for _ in range(2)]
    post(keys[0], json={}, headers={"X-Request-Id": "first"})
    post(keys[0], content=b"x", headers={"X-Request-Id": "second"})
    post(keys[1], json={}, headers={"X-Request-Id": "third"})
    wait_until(lambda: len(rows_of(admin)) == 3)

    def ids(**query: str) -> set[str]:
        found = {row["request_id"] for row in rows_of(admin, **query)}
        shown = admin.get(PAGE, params=query).text
        assert {name for name in ("first", "second", "third") if f"<code>{name}</code>" in shown} == found
        return found

    key_id = next(row["key_id"] for row in rows_of(admin) if row["request_id"] == "third")
    assert ids(key=key_id) == {"third"}
    assert ids(code="UNSUPPORTED_MEDIA_TYPE") == {"second"}
    assert ids(request="first") == {"first"}
    assert ids(age="15m", code="VALIDATION_ERROR") == {"first", "third"}
    assert ids(key="x", code="'", age="9", page="-1") == {"first", "second", "third"}
    assert ids(key="999999999999999999999") == {"first", "second", "third"}
    assert "Nothing like that" in admin.get(PAGE, params={"key": "2147483647"}).text


def test_a_member_sees_it_and_nobody_of_another_project(web, database_url, admin, post, project):
    key = create_key(database_url, project=project)
    post(key, json={}, headers={"X-Request-Id": "ours"})
    wait_until(lambda: rows_of(admin))
    with signed_in_client(web, database_url, project=project, role="member") as member:
        assert "<code>ours</code>" in member.get(PAGE).text
        assert PAGE in member.get("/dashboard/api-keys").text
    with signed_in_client(web, database_url, project=f"other-{uuid4()}") as stranger:
        assert rows_of(stranger) == []


def test_the_download_disarms_formulas_in_the_names_of_keys(admin, post):
    key = key_in(create(admin, name="=cmd|' /C calc'!A0"))
    post(key, json={}, headers={"X-Request-Id": "-1-2"})
    (row,) = wait_until(lambda: rows_of(admin))
    assert row["key"] == "'=cmd|' /C calc'!A0"
    assert row["request_id"] == "'-1-2"


def test_a_flood_is_kept_in_part_and_counted_whole(database_url, admin, post, project, *, start: StartProcess):
    process = start("web", web_concurrency="1")
    key = create_key(database_url, project=project)
    with httpx.Client(base_url=process.url, headers={"Authorization": f"Bearer {key}"}) as client:
        for _ in range(3 * BURST):
            client.post(API, content=b"x")
    wait_until(lambda: f"UNSUPPORTED_MEDIA_TYPE {3 * BURST}" in text(admin.get(PAGE)))
    assert BURST <= len(rows_of(admin)) < 3 * BURST
    # of those that are kept, whatever number, each has its line in the log
    told = [json.loads(line) for line in process.log().splitlines() if "request refused" in line]
    assert len(told) < 3 * BURST
    assert {row["request_id"] for row in rows_of(admin)} <= {line["request_id"] for line in told}


def test_the_log_of_web_has_the_request_with_its_id_and_no_value(start: StartProcess, database_url):
    process = start("web", web_concurrency="1")
    key, secret = create_key(database_url), uuid4().hex
    headers = {"Authorization": f"Bearer {key}", "X-Request-Id": "call-17"}
    assert httpx.post(process.url + API, json={"prompt_id": secret}, headers=headers).status_code == 400
    assert httpx.post(process.url + API, json=EVENT, headers={"X-Request-Id": "call-18"}).status_code == 401
    wait_until(lambda: "call-18" in process.log())
    told = [json.loads(line) for line in process.log().splitlines() if "request refused" in line]
    assert [(line["request_id"], line["code"], line["fields"]) for line in told] == [
        ("call-17", "VALIDATION_ERROR", ["prompt_id", "version_hash"]),
        ("call-18", "UNAUTHORIZED", []),
    ]
    assert told[0]["key_id"] is not None
    assert secret not in process.log()
    assert key not in process.log()


def test_the_page_says_that_redis_does_not_answer(admin, redis_server: RunningRedis):
    with frozen(redis_server.pid):
        shown = admin.get(PAGE)
        assert admin.get(f"{PAGE}.csv").status_code == 503
    assert (shown.status_code, "Redis does not answer" in shown.text) == (200, True)
