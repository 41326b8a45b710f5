"""What tests of /readyz share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from app.core.migrations import migrate
from app.local.children import Guard
from app.local.postgres import start_postgres
from app.local.redis_server import start_redis
from tests.health import Servers, new_client


@pytest.fixture(scope="module")
def own_servers(server_folder: Path, guard: Guard, wheels_only: bool) -> Iterator[Servers]:
    servers = Servers(
        start_postgres(server_folder / "health-postgres", guard, durable=False, wheels_only=wheels_only),
        start_redis(server_folder / "health-redis", guard, wheels_only=wheels_only),
    )
    migrate(servers.postgres.url)
    yield servers
    servers.postgres.stop()
    servers.redis.stop()


@pytest.fixture
def servers(own_servers: Servers) -> Servers:
    """Both run, with the settings of their start and without events."""
    if own_servers.postgres.exit_code() is not None:
        own_servers.postgres.restart()
    if own_servers.redis.exit_code() is not None:
        own_servers.redis.restart()
    with redis.Redis.from_url(own_servers.redis.url) as client:
        client.flushall()
    return own_servers


@pytest.fixture
def redis_client(servers: Servers) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(servers.redis.url) as client:
        yield client


@pytest.fixture
def client(servers: Servers, fast_paths: str) -> FlaskClient:
    """Of a new app, which remembers no earlier answer."""
    return new_client(servers.postgres.url, servers.redis.url, FAST_PATHS=fast_paths)
