"""Who may call a view: every view carries exactly one of these decorators, and a test looks for it."""

import functools
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar

from flask import Response, g

from app.core.errors import QuotaExceeded, RedisFull, RedisUnavailable
from app.core.keys.directory import ApiKey
from app.core.stream.buffer import Quota
from app.web.auth import authenticate
from app.web.errors import ApiError, forbidden, rate_limited
from app.web.limits import Window
from app.web.services import services

Scope = Literal["ingest", "read"]

_P = ParamSpec("_P")
_View = TypeVar("_View", bound=Callable[..., Any])


def requires_key(scope: Scope) -> Callable[[Callable[_P, Response]], Callable[_P, Response]]:
    """Let in requests with a valid key that has the scope, within the key's rate limit.

    Sets `g.api_key`, and `g.rate_window` for the X-RateLimit headers. The hit is counted before the scope is
    looked at, so that a 403 carries those headers too, and is limited too.
    """

    def decorate(view: Callable[_P, Response]) -> Callable[_P, Response]:
        @functools.wraps(view)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> Response:
            key = g.api_key = authenticate(services())
            _count(key, scope)
            if scope not in key.scopes:
                raise forbidden(scope)
            return view(*args, **kwargs)

        guarded.__dict__["access"] = scope
        return guarded

    return decorate


def requires_ingest_key(view: Callable[[ApiKey, Quota], Response]) -> Callable[[], Response]:
    """The same with the scope `ingest`, for views that append the events of a key within its quota.

    The buffer counts the hits, in the round trip that takes the events. What the view refuses before that is one hit,
    and is answered as over the limit where it is.
    """

    @functools.wraps(view)
    def guarded() -> Response:
        web = services()
        limits = web.limits
        key = g.api_key = authenticate(web)
        quota = limits.quota(limits.limit_of(key.rate_limit), "key", str(key.key_id))
        try:
            if "ingest" not in key.scopes:
                raise forbidden("ingest")
            return view(key, quota)
        except ApiError:
            _count(key, "ingest")
            raise
        except QuotaExceeded as error:
            raise _over_limit(limits.window_of(quota)) from error
        finally:
            if quota.used is not None:
                g.rate_window = limits.window_of(quota)

    guarded.__dict__["access"] = "ingest"
    return guarded


def _count(key: ApiKey, scope: Scope) -> None:
    """Count one hit and set `g.rate_window`; raises a 429 for one over the limit."""
    limits = services().limits
    try:
        window = limits.hit(limits.limit_of(key.rate_limit), "key", str(key.key_id))
    except RedisFull as error:
        if scope == "ingest":
            raise
        # backpressure is for events; here there is none
        raise RedisUnavailable(str(error)) from error
    g.rate_window = window
    if window.exceeded:
        raise _over_limit(window)


def _over_limit(window: Window) -> ApiError:
    return rate_limited(
        "This API key is over its rate limit, or a batch has more events than the limit has left.",
        retry_after_seconds=window.retry_after_seconds,
    )


def public(reason: str) -> Callable[[_View], _View]:
    """Let everybody in, without a rate limit; `reason` says why that is right."""

    def decorate(view: _View) -> _View:
        view.__dict__["access"] = None
        view.__dict__["public_because"] = reason
        return view

    return decorate
