"""Rate limits: Flask-Limiter's fixed windows over a storage that needs one Redis round trip."""

import functools
import logging
import math
import time
from dataclasses import dataclass
from typing import Any, cast

import redis
from flask import Flask
from flask_limiter import Limiter
from limits import RateLimitItem, parse
from limits.storage import Storage

from app.core.errors import PromptAnalyticsError
from app.core.fixed_window import COUNT_HITS, FixedWindow
from app.core.redis_client import redis_errors

KEY_PREFIX = "pa:limit:"

log = logging.getLogger(__name__)

_COUNT = COUNT_HITS + "return {count_hits(KEYS[1], ARGV[1], ARGV[2])}"


@dataclass(frozen=True, slots=True)
class Window:
    """How a limit stands after a hit. `reset_at` is in seconds since the epoch."""

    limit: int
    hits: int
    reset_at: float

    @classmethod
    def after(cls, limit: int, hits: int, left_ms: int) -> "Window":
        """Of a window that goes on for `left_ms`."""
        return cls(limit, hits, time.time() + left_ms / 1_000)

    @property
    def exceeded(self) -> bool:
        return self.hits > self.limit

    @property
    def retry_after_seconds(self) -> float:
        """How long until the next window; never negative."""
        return max(0.0, self.reset_at - time.time())

    @property
    def headers(self) -> dict[str, str]:
        """The X-RateLimit headers: Reset is in whole seconds since the epoch, rounded up."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self.hits)),
            "X-RateLimit-Reset": str(math.ceil(self.reset_at)),
        }


class OneTripRedisStorage(Storage):
    """Counters of fixed windows. A hit brings count and expiry along; Redis errors leave as core errors."""

    STORAGE_SCHEME = ["one-trip-redis"]  # noqa: RUF012 - the base class declares a plain list

    def __init__(self, uri: str | None = None, *, client: redis.Redis, **options: Any) -> None:
        super().__init__(uri, **options)
        self._client = client
        self._count = client.register_script(_COUNT)

    @property
    def base_exceptions(self) -> type[Exception]:
        return PromptAnalyticsError

    def count(self, key: str, expiry: int, amount: int = 1) -> tuple[int, int]:
        """The count after `amount` more, and how long its window goes on (ms), of `expiry` seconds when it is new.

        Raises RedisFull and RedisUnavailable.
        """
        with redis_errors():
            count, left_ms = self._count(keys=[KEY_PREFIX + key], args=[amount, expiry * 1_000])
        return count, left_ms

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """As `count`, for the strategies of `limits`."""
        return self.count(key, expiry, amount)[0]

    def get(self, key: str) -> int:
        with redis_errors():
            return int(self._client.get(KEY_PREFIX + key) or 0)

    def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds since the epoch; now, for a window that is not open."""
        with redis_errors():
            return time.time() + max(0, self._client.pttl(KEY_PREFIX + key)) / 1_000

    def check(self) -> bool:
        with redis_errors():
            return bool(self._client.ping())

    def reset(self) -> int | None:
        """Never: it would lift the limits of everybody."""
        raise NotImplementedError

    def clear(self, key: str) -> None:
        with redis_errors():
            self._client.delete(KEY_PREFIX + key)


class RateLimits:
    """The limits of one app. Hits raise RedisUnavailable where Redis does not answer: no count is no leave."""

    def __init__(self, app: Flask, client: redis.Redis, *, default_limit: str) -> None:
        """`default_limit` is for keys without a limit of their own, such as "600/minute"."""
        limiter = Limiter(
            key_func=_no_implicit_key,
            storage_uri=f"{OneTripRedisStorage.STORAGE_SCHEME[0]}://",
            # typed for the strings and numbers of a configuration; it hands every option on to the storage
            storage_options=cast(dict[str, str | int], {"client": client}),
            strategy="fixed-window",
        )
        # Flask-Limiter adds its hooks for the first limiter of an app only. So one that finds itself registered is set
        # up without them: they would look for decorators that nobody uses here, for 150 µs a request.
        app.extensions["limiter"] = {limiter}
        limiter.init_app(app)
        self._strategy = limiter.limiter
        self._storage = cast(OneTripRedisStorage, limiter.storage)
        self._default_limit = parse(default_limit)

    def hit(self, limit: RateLimitItem, subject: str, identifier: str) -> Window:
        """Count one hit of `identifier` against a limit on `subject`.

        Raises ValueError for an empty identifier, which would share one window among all who have none.
        """
        if not identifier:
            raise ValueError(f"the rate limit on {subject} has nothing to count by")
        counted = self._storage.count(limit.key_for(subject, identifier), limit.get_expiry())
        return Window.after(limit.amount, *counted)

    @staticmethod
    def window_to_count(limit: RateLimitItem, subject: str, identifier: str) -> FixedWindow:
        """The same limit, for EventBuffer to count the hits where it takes the events: that saves a round trip."""
        return FixedWindow(_counter(limit, subject, identifier), limit.amount, limit.get_expiry() * 1_000)

    def has_room(self, limit: RateLimitItem, subject: str, identifier: str) -> bool:
        """Whether a hit would be allowed; counts none. Raises RedisUnavailable."""
        return bool(self._strategy.test(limit, subject, identifier))

    def give_back(self, limit: RateLimitItem, subject: str, identifier: str) -> None:
        """Take one hit off again, for limits that only failures are to use up. Raises RedisUnavailable."""
        self._storage.incr(limit.key_for(subject, identifier), limit.get_expiry(), amount=-1)

    def limit_of(self, rate_limit: str | None) -> RateLimitItem:
        """A key's own limit, or the default; also the default, and an error in the log, for one that is broken."""
        if rate_limit is None:
            return self._default_limit
        return _parse_or_none(rate_limit) or self._default_limit


@functools.lru_cache(maxsize=1_024)
def _parse_or_none(rate_limit: str) -> RateLimitItem | None:
    try:
        return parse(rate_limit)
    except ValueError:
        log.exception("a key has a broken rate limit; the default is used")
        return None


@functools.lru_cache(maxsize=10_000)
def _counter(limit: RateLimitItem, subject: str, identifier: str) -> str:
    return KEY_PREFIX + limit.key_for(subject, identifier)


def _no_implicit_key() -> str:
    raise RuntimeError("limits are hit by name, never by a decorator without a key")
