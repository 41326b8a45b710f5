"""Who may call a view: every view carries exactly one of these decorators, and a test looks for it."""

import functools
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar

from flask import Response, g

from app.core.errors import BufferFull, BufferUnavailable
from app.core.key_directory import ApiKey
from app.web.auth import authenticate
from app.web.errors import forbidden, rate_limited
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
            key = authenticate()
            window = _count(key, scope)
            g.api_key = key
            g.rate_window = window
            if scope not in key.scopes:
                raise forbidden(scope)
            if window.exceeded:
                raise rate_limited(
                    "This API key is over its rate limit.", retry_after_seconds=window.retry_after_seconds
                )
            return view(*args, **kwargs)

        guarded.__dict__["access"] = scope
        return guarded

    return decorate


def charge_events(count: int) -> None:
    """Count a request that brings several events as so many hits; the guard has counted one of them already.

    Raises a 429 where the key's limit has no room for all; then the request stays one hit, so that fewer events may
    still pass. Sets `g.rate_window` anew.
    """
    if count == 1:
        return
    key: ApiKey = g.api_key
    limits = services().limits
    window = limits.hit_together(limits.limit_of(key.rate_limit), "key", str(key.key_id), count - 1)
    g.rate_window = window
    if window.exceeded:
        raise rate_limited(
            "This batch has more events than this API key's rate limit has left.",
            retry_after_seconds=window.retry_after_seconds,
        )


def _count(key: ApiKey, scope: Scope) -> Window:
    limits = services().limits
    try:
        return limits.hit(limits.limit_of(key.rate_limit), "key", str(key.key_id))
    except BufferFull as error:
        if scope == "ingest":
            raise
        # backpressure is for events; here there is none
        raise BufferUnavailable(str(error)) from error


def public(reason: str) -> Callable[[_View], _View]:
    """Let everybody in, without a rate limit; `reason` says why that is right."""

    def decorate(view: _View) -> _View:
        view.__dict__["access"] = None
        view.__dict__["public_because"] = reason
        return view

    return decorate
