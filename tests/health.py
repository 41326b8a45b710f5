"""A web process with servers of its own, and what it says of them."""

from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient

from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from app.web.application import create_app
from config.settings import load_settings
from tests.processes import SECRET_KEY


@dataclass(frozen=True)
class Servers:
    postgres: RunningPostgres
    redis: RunningRedis


def new_client(database_url: str, redis_url: str, **settings: str) -> FlaskClient:
    environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": SECRET_KEY, **settings}
    return create_app(load_settings(environment)).test_client()


def problems(client: FlaskClient) -> dict[str, str]:
    """By name of the failing check; also holds the answer against section 4 of the API's rules."""
    answer = client.get("/readyz")
    body: dict[str, Any] = answer.get_json()
    assert answer.status_code == 503, body
    assert (body["success"], body["error"]["code"]) == (False, "UNAVAILABLE")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    return {detail["field"]: detail["message"] for detail in body["error"]["details"]}
