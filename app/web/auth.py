"""Which API key a request carries."""

import ipaddress
from typing import TYPE_CHECKING

from flask import request
from limits import RateLimitItemPerMinute

from app.core.errors import InvalidApiKey, RedisFull, RedisUnavailable
from app.core.queries.api_keys import ApiKey, EndedKey
from app.web.errors import ApiError, rate_limited, unauthorized
from app.web.handed_on import handed_on
from app.web.request_context import context
from app.web.services import Services, services

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

FAILURES_PER_MINUTE = RateLimitItemPerMinute(20)
IPV6_NETWORK_BITS = 64


def authenticate(web: Services) -> ApiKey:
    """The valid key of the current request.

    Raises a 401, or a 429 for an address with too many failures in this minute. From there a key that has been in
    use still passes, but PostgreSQL is not asked any more: well-formed keys are easily invented, and each would
    cost it a query. Raises RedisUnavailable and DatabaseUnavailable where a key can be neither found nor refused.
    """
    known = handed_on(request.environ)
    if known is not None and known.key is not None:
        return known.key
    if known is not None and known.error is not None:
        raise known.error
    key = bearer_of(request.environ)
    if key is None:
        raise _failure()
    try:
        return web.keys.find(key, may_ask_database=_few_failures)
    except InvalidApiKey as error:
        context().ended_key = None if error.ended is None else EndedKey(*error.ended)
        raise _failure() from error


def bearer_of(environ: "WSGIEnvironment") -> str | None:
    """What the request says is its key; None where it says nothing of the kind."""
    scheme, _, key = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return key.strip(" ") if scheme.lower() == "bearer" else None


def _few_failures() -> bool:
    return services().limits.has_room(FAILURES_PER_MINUTE, "address", network_of(request.remote_addr))


def _failure() -> ApiError:
    try:
        window = services().limits.hit(FAILURES_PER_MINUTE, "address", network_of(request.remote_addr))
    except (RedisFull, RedisUnavailable):
        # it is refused whether or not it can be counted
        return unauthorized()
    if window.exceeded:
        return rate_limited(
            "Too many requests without a valid API key.", retry_after_seconds=window.retry_after_seconds
        )
    return unauthorized()


def network_of(address: str | None) -> str:
    """What failures are counted by: an IPv4 address, or the /64 of an IPv6 address, which one host owns whole.

    All clients without a readable address (a Unix socket, a broken proxy) count as one.
    """
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip.packed, IPV6_NETWORK_BITS), strict=False))
