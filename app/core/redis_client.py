"""Redis connections, and the only place that catches redis errors."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.core.errors import ConsumerGroupMissing, RedisFull, RedisNotTrusted, RedisUnavailable

REQUEST_TIMEOUT_SECONDS = 0.5
VERIFIED = "required"
"""Of `tls_verify`: the certificate must be signed by an authority that this machine trusts, for the URL's host."""
UNVERIFIED = "none"
"""Of `tls_verify`: encrypted, whoever answers."""
NOTHING_SENT = "there was no connection to send the command over"
"""A note of errors after which it was surely not done."""


def connect(
    url: str,
    *,
    timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
    max_connections: int = 64,
    tls_verify: str = VERIFIED,
) -> redis.Redis:
    """A client that opens its connections on first use, after the fork.

    `tls_verify` is for `rediss://`: VERIFIED, UNVERIFIED, or the path of a file with further authorities to trust.
    What the URL's own query says of certificates (`?ssl_cert_reqs=…`) wins over it.

    It never re-sends a command: redis-py would by default repeat one whose answer was lost, and an XADD
    repeated is an event counted twice. A command that gets no connection or no answer within
    `timeout_seconds` raises; wrap calls in `redis_errors`.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        **_transport(url, tls_verify),
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


def _transport(url: str, tls_verify: str) -> dict[str, Any]:
    if not url.startswith("rediss:"):
        return {"connection_class": _LeavingConnection}
    is_file = tls_verify not in (VERIFIED, UNVERIFIED)
    return {
        "connection_class": _LeavingTlsConnection,
        "ssl_cert_reqs": VERIFIED if is_file else tls_verify,
        "ssl_ca_certs": tls_verify if is_file else None,
    }


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
    """Translate redis errors: out of memory is RedisFull (nothing was written), all else a kind of RedisUnavailable."""
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
        if (refusal := _certificate_refusal(error)) is not None:
            raise RedisNotTrusted(
                f"the certificate of Redis is not trusted ({refusal.verify_message}): see REDIS_TLS_VERIFY"
            ) from error
        raise RedisUnavailable(f"{type(error).__name__}: {error}") from error


def _certificate_refusal(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """What redis-py raised its error for, where that is a certificate."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None


def create_group(client: redis.Redis, stream: str, group: str) -> None:
    """Create a consumer group at the beginning of the stream; one that exists stays as it is."""
    try:
        client.xgroup_create(stream, group, id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise
