"""Who gets in: keys, scopes, failures; and a walk over every route of the app."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import redis
from flask import Flask

from app.core.keys.api_key import hash_key, mint_key
from app.core.keys.records import revoke_in_redis
from app.core.stream.events import Event
from app.web.application import create_app
from config.settings import load_settings
from tests.api_keys import create_key, revoke_key_in_database

PATH = "/api/v1/prompts/analytics"
EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}
FAILURES_PER_MINUTE = 20

# Everything else needs a key. Adding to this list is a decision about who may read what.
PUBLIC_ENDPOINTS = {
    *("health.healthz", "health.readyz", "metrics.metrics"),
    *("assets.asset", "assets.docs_asset", "documents.document"),
}
OPEN_PAGES = {f"pages_sign_in.{name}" for name in ("home", "login", "sign_in", "sign_out")} | {
    f"pages_one_time_link.{name}" for name in ("show_link", "use_link")
}
PAGE_BLUEPRINTS = "pages_"
PUBLIC_DOCUMENTATION_BLUEPRINT = "openapi"

pytestmark = pytest.mark.usefixtures("clean_redis")


@pytest.fixture
def app(database_url: str, redis_url: str) -> Flask:
    return create_app(load_settings({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "s" * 32}))


@pytest.fixture
def anyone(web: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=web) as client:
        yield client


def post(client: httpx.Client, authorization: str | bytes | None) -> httpx.Response:
    headers: dict[str, Any] = {} if authorization is None else {"Authorization": authorization}
    return client.post(PATH, json=EVENT, headers=headers)


def test_every_route_has_an_access_rule_or_is_on_the_short_list(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        access = getattr(view, "access", "nothing")
        if rule.endpoint.startswith(PAGE_BLUEPRINTS):
            assert access in {"member", "admin", "user"} or rule.endpoint in OPEN_PAGES, f"{rule.rule} has no rule"
            assert (rule.endpoint in OPEN_PAGES) == (access is None), f"{rule.rule} is open, or is not"
        elif rule.endpoint in PUBLIC_ENDPOINTS or rule.endpoint.startswith(f"{PUBLIC_DOCUMENTATION_BLUEPRINT}."):
            assert access is None, f"{rule.rule} is on the list, but not marked as public"
            assert view.__dict__["public_because"]
        else:
            assert access in {"ingest", "read"}, f"{rule.rule} has no access rule"


def test_every_api_route_refuses_a_request_without_a_key_and_limits_such_requests(app: Flask) -> None:
    client = app.test_client()
    statuses = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/"):
            url = rule.rule.replace("<uuid:prompt_id>", EVENT["prompt_id"]).replace("<prompt_id>", EVENT["prompt_id"])
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                statuses += [client.open(url, method=method).status_code for _ in range(FAILURES_PER_MINUTE + 1)]
    assert statuses[:FAILURES_PER_MINUTE] == [401] * FAILURES_PER_MINUTE
    assert set(statuses[FAILURES_PER_MINUTE:]) == {429}


def test_all_refused_keys_get_the_same_answer(anyone: httpx.Client, database_url: str) -> None:
    good = create_key(database_url)
    revoked = create_key(database_url)
    revoke_key_in_database(database_url, revoked)
    expired = create_key(database_url, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    refused: list[str | bytes | None] = [
        None,
        "",
        "Bearer",
        good,
        f"Basic {good}",
        f"Bearer: {good}",
        f"Bearer {good} x",
        f"Bearer {good},{good}",
        f"Bearer {good[:-1]}",
        f"Bearer {good.swapcase()}",
        "Bearer eg_live_é".encode("latin-1"),
        f"Bearer {mint_key()}",
        f"Bearer {revoked}",
        f"Bearer {expired}",
    ]
    answers = [post(anyone, authorization) for authorization in refused]
    assert [answer.status_code for answer in answers] == [401] * len(refused)
    bodies = []
    for answer in answers:
        error = answer.json()["error"]
        assert error.pop("requestId") == answer.headers["X-Request-Id"]
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert not {name for name in answer.headers if name.startswith("x-ratelimit") or name == "retry-after"}
        bodies.append(error)
    assert bodies == [bodies[0]] * len(refused)
    assert bodies[0]["code"] == "UNAUTHORIZED"


def test_the_scheme_may_be_written_in_any_case(anyone: httpx.Client, database_url: str) -> None:
    key = create_key(database_url)
    assert [post(anyone, f"{scheme} {key}").status_code for scheme in ("bearer", "BEARER", "Bearer ")] == [204] * 3


def test_a_key_without_the_scope_is_forbidden_before_the_body_is_read(anyone: httpx.Client, database_url: str) -> None:
    reader = create_key(database_url, scopes=["read"])
    answer = anyone.post(PATH, content=b"not json", headers={"Authorization": f"Bearer {reader}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert "ingest" in answer.json()["error"]["message"]
    assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= {*answer.headers}


def test_a_key_expires_at_its_time_though_it_is_remembered(anyone: httpx.Client, database_url: str) -> None:
    expires_at = datetime.now(UTC) + timedelta(seconds=1.5)
    key = create_key(database_url, expires_at=expires_at)
    assert post(anyone, f"Bearer {key}").status_code == 204
    asked_at = datetime.now(UTC)
    while post(anyone, f"Bearer {key}").status_code == 204:
        assert asked_at < expires_at + timedelta(seconds=0.5)
        asked_at = datetime.now(UTC)
    assert datetime.now(UTC) >= expires_at


def test_a_revoked_key_stops_within_a_second_in_every_process(
    web: str, database_url: str, redis_client: redis.Redis
) -> None:
    key = create_key(database_url)
    # Separate connections, so that both processes have the key in memory.
    clients = [httpx.Client(base_url=web) for _ in range(8)]
    assert {post(client, f"Bearer {key}").status_code for client in clients} == {204}
    revoke_in_redis(redis_client, hash_key(key))
    revoke_key_in_database(database_url, key)
    revoke_in_redis(redis_client, hash_key(key))
    revoked_at = time.monotonic()
    last_success = 0.0
    while time.monotonic() - revoked_at < 2.5:
        for client in clients:
            asked_at = time.monotonic() - revoked_at
            if post(client, f"Bearer {key}").status_code == 204:
                last_success = asked_at
    for client in clients:
        client.close()
    assert last_success <= 1.0


def test_a_key_in_use_passes_from_an_address_with_too_many_failures(
    anyone: httpx.Client, database_url: str, buffered: Callable[[], list[Event]]
) -> None:
    good = create_key(database_url)
    assert post(anyone, f"Bearer {good}").status_code == 204
    statuses = [post(anyone, f"Bearer {mint_key()}").status_code for _ in range(FAILURES_PER_MINUTE)]
    assert statuses == [401] * FAILURES_PER_MINUTE
    blocked = post(anyone, "Bearer nonsense")
    assert (blocked.status_code, blocked.json()["error"]["code"]) == (429, "RATE_LIMITED")
    assert 1 <= int(blocked.headers["Retry-After"]) <= 60
    assert post(anyone, f"Bearer {good}").status_code == 204
    assert len(buffered()) == 2


def test_a_new_key_works_at_once_for_a_client_that_failed_only_a_few_times(
    anyone: httpx.Client, database_url: str
) -> None:
    assert {post(anyone, f"Bearer {mint_key()}").status_code for _ in range(FAILURES_PER_MINUTE - 1)} == {401}
    assert post(anyone, f"Bearer {create_key(database_url)}").status_code == 204


def test_failures_are_counted_by_client_behind_trusted_proxies_only(database_url: str, redis_url: str) -> None:
    environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "s" * 32}

    def status_of_21st(trusted: str, forwarded_for: list[str]) -> int:
        client = create_app(load_settings({**environment, "TRUSTED_PROXY_COUNT": trusted})).test_client()
        base = {"REMOTE_ADDR": f"192.0.2.{trusted}"}
        answers = [
            client.post(PATH, headers={"X-Forwarded-For": address}, environ_base=base) for address in forwarded_for
        ]
        return answers[-1].status_code

    invented = [f"10.0.0.{n}" for n in range(21)]
    assert status_of_21st("0", invented) == 429
    assert status_of_21st("1", invented) == 401
    assert status_of_21st("2", [f"{address}, 203.0.113.9, 203.0.113.8" for address in invented]) == 429
    assert status_of_21st("3", [f"2001:db8:1:2::{n}, 203.0.113.9, 203.0.113.8" for n in range(21)]) == 429
