"""Who may read /metrics: those with the token, and without one this machine alone."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.web.application import create_app
from config.settings import load_settings
from tests.processes import SECRET_KEY

TOKEN = "a-token-for-prometheus"

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture
def environment(database_url: str, redis_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": SECRET_KEY}


def new_client(environment: dict[str, str]) -> FlaskClient:
    return create_app(load_settings(environment)).test_client()


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "Bearer ü"}],
    ids=["none", "another", "not bearer", "not ASCII"],
)
def test_with_a_token_it_refuses_those_who_do_not_have_it(environment: dict[str, str], headers: dict[str, Any]) -> None:
    answer = new_client({**environment, "METRICS_TOKEN": TOKEN}).get("/metrics", headers=headers)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "prompt_analytics" not in answer.text


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_with_a_token_it_lets_in_those_who_have_it(environment: dict[str, str], scheme: str) -> None:
    client = new_client({**environment, "METRICS_TOKEN": TOKEN})
    assert client.get("/metrics", headers={"Authorization": f"{scheme} {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_this_machine_reads_the_metrics(environment: dict[str, str], peer: str) -> None:
    answer = new_client(environment).get("/metrics", environ_overrides={"REMOTE_ADDR": peer})
    assert answer.status_code == 200


@pytest.mark.parametrize("peer", ["10.0.0.7", "203.0.113.9", "2001:db8::1", "::ffff:10.0.0.7", "", "unix"])
def test_without_a_token_no_other_machine_does(environment: dict[str, str], peer: str) -> None:
    answer = new_client(environment).get("/metrics", environ_overrides={"REMOTE_ADDR": peer})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "FORBIDDEN")
    assert "METRICS_TOKEN" in answer.get_json()["error"]["message"]
    assert "prompt_analytics" not in answer.text


@pytest.mark.parametrize("trusted", ["0", "1"])
@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-Ip"])
def test_a_proxy_on_this_machine_is_not_this_machine(environment: dict[str, str], trusted: str, header: str) -> None:
    client = new_client({**environment, "TRUSTED_PROXY_COUNT": trusted})
    assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403


def test_without_a_token_nobody_reads_them_where_the_service_has_a_public_address(environment: dict[str, str]) -> None:
    # a proxy on this machine need not say that it is one: nginx with a bare proxy_pass adds no header
    client = new_client({**environment, "PUBLIC_URL": "https://a.example"})
    answer = client.get("/metrics")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "FORBIDDEN")
    assert "METRICS_TOKEN" in answer.get_json()["error"]["message"]


def test_with_a_token_every_machine_that_has_it_reads_them(environment: dict[str, str]) -> None:
    client = new_client({**environment, "METRICS_TOKEN": TOKEN})
    for headers, status in (({"Via": "x"}, 401), ({"Via": "x", "Authorization": f"Bearer {TOKEN}"}, 200)):
        answer = client.get("/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": "10.0.0.7"})
        assert answer.status_code == status
