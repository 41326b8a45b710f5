"""Redis connections, and the only place that catches redis errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.core.errors import ConsumerGroupMissing, RedisFull, RedisUnavailable

REQUEST_TIMEOUT_SECONDS = 0.5
NOTHING_SENT = "there was no connection to send the command over"
"""A note of errors after which it was surely not done."""


def connect(url: str, *, timeout_seconds: float = REQUEST_TIMEOUT_SECONDS, max_connections: int = 64) -> redis.Redis:
    """A client that opens its connections on first use, after the fork.

    It never re-sends a command: redis-py would by default repeat one whose answer was lost, and an XADD
    repeated is an event counted twice. A command that gets no connection or no answer within
    `timeout_seconds` raises; wrap calls in `redis_errors`.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        connection_class=_LeavingTlsConnection if url.startswith("rediss:") else _LeavingConnection,
        max_connections=max_connections,
        timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        socket_keepalive=True,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        health_check_interval=0,
    )
    return redis.Redis(connection_pool=pool)


class _LeavesReplicas(redis.connection.AbstractConnection):
    """Closes the connection to a Redis that has become a replica: behind its name there may be a primary by now."""

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[no-untyped-call]
        except redis.RedisError as error:
            error.add_note(NOTHING_SENT)
            raise

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            answer = super().read_response(*args, **options)
        except redis.ReadOnlyError:
            self.disconnect()  # type: ignore[no-untyped-call]
            raise
        # append.lua answers each request by itself; a replica refuses all alike
        if isinstance(answer, list) and answer and isinstance(answer[0], redis.ReadOnlyError):
            self.disconnect()  # type: ignore[no-untyped-call]
        return answer


class _LeavingConnection(_LeavesReplicas, redis.Connection):
    pass


class _LeavingTlsConnection(_LeavesReplicas, redis.SSLConnection):
    pass


@contextmanager
def redis_errors() -> Iterator[None]:
    """Translate redis errors: out of memory is RedisFull (nothing was written), all else RedisUnavailable."""
    try:
        yield
    except redis.OutOfMemoryError as error:
        raise RedisFull("Redis is out of memory") from error
    except redis.ResponseError as error:
        if "OOM" in str(error):
            raise RedisFull("Redis is out of memory") from error
        if str(error).startswith("NOGROUP"):
            raise ConsumerGroupMissing(str(error)) from error
        raise RedisUnavailable(str(error)) from error
    except redis.RedisError as error:
        raise RedisUnavailable(f"{type(error).__name__}: {error}") from error


def create_group(client: redis.Redis, stream: str, group: str) -> None:
    """Create a consumer group at the beginning of the stream; one that exists stays as it is."""
    try:
        client.xgroup_create(stream, group, id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise
