"""Who may call a view: every view carries exactly one of these decorators, and a test looks for it."""

import functools
from collections.abc import Callable
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from flask import Response

from app.core.errors import RedisFull, RedisUnavailable
from app.core.queries.api_keys import ApiKey
from app.web.auth import authenticate
from app.web.errors import ApiError, forbidden, rate_limited
from app.web.limits import Window
from app.web.request_context import context
from app.web.services import services

Scope = Literal["ingest", "read"]

LIMIT_SUBJECT = "key"
"""What the rate limits of API keys are counted under."""

_P = ParamSpec("_P")
_KeyView = Callable[Concatenate[ApiKey, _P], Response]
_View = TypeVar("_View", bound=Callable[..., Any])


def requires_key(scope: Scope, *, counts_hit: bool = True) -> Callable[[_KeyView[_P]], Callable[_P, Response]]:
    """Let in requests with a valid key that has the scope, within the key's rate limit; the view gets the key first.

    The hit is counted before the scope is looked at, so that a 403 carries the X-RateLimit headers too, and is limited
    too. Without `counts_hit` the view counts, in the round trip in which it does its work, and sets the window of the
    request's context; what it refuses before that is one hit, which is counted here.
    """

    def decorate(view: _KeyView[_P]) -> Callable[_P, Response]:
        @functools.wraps(view)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> Response:
            key = context().api_key = authenticate(services())
            has_scope = scope in key.scopes
            if counts_hit or not has_scope:
                count_hit(key, scope)
            if not has_scope:
                raise forbidden(scope)
            try:
                return view(key, *args, **kwargs)
            except ApiError:
                if context().window is None:
                    count_hit(key, scope)
                raise

        guarded.__dict__["access"] = scope
        return guarded

    return decorate


def count_hit(key: ApiKey, scope: Scope) -> None:
    """Count one hit, which the answer's headers will tell. Raises a 429 for one over the limit.

    Where Redis is full that is backpressure for events, and RedisUnavailable for all else.
    """
    limits = services().limits
    try:
        window = limits.hit(limits.limit_of(key.rate_limit), LIMIT_SUBJECT, str(key.key_id))
    except RedisFull as error:
        if scope == "ingest":
            raise
        raise RedisUnavailable(str(error)) from error
    context().window = window
    if window.exceeded:
        raise over_limit(window)


def over_limit(window: Window) -> ApiError:
    """The 429 of a key."""
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
