"""What a request tells of proxies in front, and where this service is for the world outside."""

import ipaddress
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import current_app, request, url_for

from app.core.runbook import runbook_entry
from app.web.services import services

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

STRICT_TRANSPORT_SECURITY = "max-age=31536000"
"""A year, for this host alone: what else is under its domain is not ours to decide."""

_FORWARDING_HEADERS = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED")
_PROXY_HEADERS = (*_FORWARDING_HEADERS, "HTTP_VIA", "HTTP_X_REAL_IP")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_EXTENSION = "prompt_analytics.proxy_noticed"

log = logging.getLogger(__name__)


def notice_proxy(environ: "WSGIEnvironment") -> bool:
    """Whether a proxy seems to be in front, by this request or one before it, and TRUSTED_PROXY_COUNT knows of none.

    Warns of it once in each process.
    """
    if services().settings.trusted_proxy_count:
        return False
    if _EXTENSION not in current_app.extensions and any(name in environ for name in _FORWARDING_HEADERS):
        current_app.extensions[_EXTENSION] = True
        log.warning(
            "requests carry X-Forwarded headers, but TRUSTED_PROXY_COUNT is 0: if a proxy is in front, set it, or all "
            "clients share the proxy's address and its limits, and sign-in does not see HTTPS",
            extra={"see": runbook_entry("unknown_proxy")},
        )
    return _EXTENSION in current_app.extensions


def is_from_this_machine(environ: "WSGIEnvironment") -> bool:
    """Whether a loopback peer sent the request, and no proxy passed it on."""
    if any(name in environ for name in _PROXY_HEADERS):
        return False
    try:
        peer = ipaddress.ip_address(environ.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    mapped = peer.ipv4_mapped if isinstance(peer, ipaddress.IPv6Address) else None
    return (mapped or peer).is_loopback


def is_https() -> bool:
    """Whether browsers reach this service by HTTPS, as far as is known."""
    return request.is_secure or (services().settings.public_url or "").startswith("https:")


def base_url() -> str:
    """PUBLIC_URL; without it what the client says in Host. No slash at its end."""
    return services().settings.public_url or request.url_root.rstrip("/")


def public_url_for(endpoint: str, **values: Any) -> str:
    """The address of a view, to be passed on to others."""
    return base_url() + url_for(endpoint, **values)


def has_public_host() -> bool:
    """Whether the request's Host is that of PUBLIC_URL; every Host is, where that is not set."""
    public_url = services().settings.public_url
    if public_url is None:
        return True
    url = urlsplit(public_url)
    named = {url.netloc} if url.port else {url.netloc, f"{url.netloc}:{_DEFAULT_PORTS[url.scheme]}"}
    return request.headers.get("Host", "").lower() in named
