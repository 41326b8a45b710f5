"""Each Redis and Valkey here, asked by users whom it tells all, little or nothing of its settings."""

import html
import json
import re

import redis
from flask.testing import FlaskClient

from app.core import redis_client
from app.core.operations.redis_settings import RedisSettings, names_in, redis_info, settings_of
from app.core.stream.buffer import EventBuffer
from app.core.stream.streams import streams_in
from tests.batches import EVENT, PATH, bearer
from tests.commands import run_command
from tests.drains import an_event, open_connection, run_drain
from tests.health import new_client
from tests.integration.redis_hosts.conftest import UrlOf
from tests.redis_rights import documented_rules
from tests.sign_in import add_member, create_project, create_user, session_cookie

ONE_STREAM = ("resetkeys", "~pa:*", "~rq:*", "+@all")
ALL = ("~*", "&*", "+@all")
WITHOUT_CONFIG = (*ALL, "-config")
WITHOUT_BOTH = (*ALL, "-config", "-info")


def seen_by(url: str) -> RedisSettings:
    with redis_client.connect(url) as client:
        return settings_of(redis_info(client))


def readyz(client: FlaskClient) -> dict[str, object]:
    answer = client.get("/readyz")
    assert answer.status_code == 200, answer.text
    told: dict[str, object] = answer.get_json()["data"]["redis"]
    return told


def test_a_user_with_all_rights_sees_that_all_is_right(url_of: UrlOf) -> None:
    settings = seen_by(url_of(*ALL))
    assert names_in(settings, "right") == list(settings)
    assert settings["appendfsync"].value == "everysec"


def test_without_config_all_but_the_syncing_is_seen(url_of: UrlOf) -> None:
    settings = seen_by(url_of(*WITHOUT_CONFIG))
    assert names_in(settings, "unseen") == ["appendfsync"]
    assert names_in(settings, "wrong") == []


def test_without_info_config_tells_what_is_wrong(url_of: UrlOf, admin: redis.Redis) -> None:
    admin.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert names_in(seen_by(url_of(*ALL, "-info")), "wrong") == ["maxmemory-policy"]
        assert names_in(seen_by(url_of(*WITHOUT_BOTH)), "wrong") == []
    finally:
        admin.config_set("maxmemory-policy", "noeviction")


def test_what_cannot_be_seen_keeps_nothing_from_being_ready_and_is_told(
    url_of: UrlOf, database_url: str, clean_database: None
) -> None:
    url = url_of(*WITHOUT_BOTH)
    told = readyz(new_client(database_url, url, PUBLIC_URL="https://analytics.example.org"))
    assert str(told["a_204_means"]).startswith("cannot be seen here")
    settings = told["settings"]
    assert isinstance(settings, dict)
    assert settings["appendonly"] == {
        "state": "cannot be seen here",
        "advice": "See that an append-only file is kept, not snapshots alone."
        " (https://analytics.example.org/docs/managed-redis)",
    }
    servers = {"database_url": database_url, "redis_url": url, "secret_key": "s" * 32}
    said = run_command("status", **servers).stdout
    assert "cannot be seen here: this Redis does not tell" in said
    assert "maxmemory-policy, appendonly, appendfsync (see docs/managed-redis.md)" in said
    facts = json.loads(run_command("status", "--json", **servers).stdout)
    assert (facts["redis_settings_right"], facts["redis_settings_wrong"]) == ([], [])


def test_what_is_right_is_told_without_its_value(url_of: UrlOf, database_url: str, clean_database: None) -> None:
    told = readyz(new_client(database_url, url_of(*ALL)))
    assert str(told["a_204_means"]).startswith("on disk within a second")
    assert isinstance(told["settings"], dict)
    assert {tuple(setting.items()) for setting in told["settings"].values()} == {(("state", "right"),)}


def test_the_documented_rights_do_for_events_and_their_drain(
    url_of: UrlOf, database_url: str, clean_database: None
) -> None:
    url = url_of(*documented_rules())
    web = new_client(database_url, url)
    sent = web.post(PATH, json=EVENT, headers={**bearer(database_url), "Idempotency-Key": "once"})
    assert sent.status_code == 204
    assert "settings" in readyz(web)
    with open_connection(database_url) as connection, redis_client.connect(url) as client:
        assert run_drain(connection, client).stored == 1


def page(client: FlaskClient, database_url: str) -> str:
    """What an admin reads on the system page."""
    user_id = create_user(database_url, "admin@p.example")
    add_member(database_url, create_project(database_url, "p"), user_id, "admin")
    client.set_cookie("session", session_cookie(database_url, user_id))
    answer = client.get("/dashboard/system", follow_redirects=True)
    assert answer.status_code == 200
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def test_the_system_page_tells_what_is_right_wrong_and_not_to_be_seen(
    url_of: UrlOf, database_url: str, admin: redis.Redis, clean_database: None
) -> None:
    admin.config_set("maxmemory-policy", "allkeys-lru")
    try:
        said = page(new_client(database_url, url_of(*WITHOUT_CONFIG)), database_url)
    finally:
        admin.config_set("maxmemory-policy", "noeviction")
    assert "A 204 means on disk how soon cannot be seen here" in said
    assert "eviction policy allkeys-lru" in said
    assert "role Right primary" in said
    assert "maxmemory-policy Wrong Redis may evict events" in said
    assert "appendfsync Cannot be seen here See how often" in said


def test_the_system_page_does_without_info(url_of: UrlOf, database_url: str, clean_database: None) -> None:
    said = page(new_client(database_url, url_of(*WITHOUT_BOTH)), database_url)
    assert "A 204 means cannot be seen here" in said
    assert "Redis memory not shown limit not shown; eviction policy not shown" in said
    assert "All is well" in said


def test_a_user_whose_rights_end_at_the_keys_of_one_stream_has_that_one(url_of: UrlOf):
    with redis_client.connect(url_of(*ONE_STREAM)) as client:
        buffer = EventBuffer(client)
        buffer.append(an_event(1))
        assert streams_in(client) == [0]
        assert buffer.state().depth == 1
