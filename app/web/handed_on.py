"""A request that comes to Flask from the lean way (app/web/fast/lean_way.py), with what was done of it by then."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.core.queries.api_keys import ApiKey

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_NAME = "prompt_analytics.handed_on"
"""In the environment of the request, where nothing that a client sends comes under such a name."""


@dataclass(frozen=True, slots=True)
class HandedOn:
    """`taken`: what its view is to answer with; `error`: what its view is to raise. It has one of them.

    Its body is read, its hit may be counted and its event may be in the buffer: nothing of that may be done again.
    Where `key` is None nothing was done, and `error` is what came of the look-up of its key.
    """

    key: ApiKey | None
    request_id: str
    taken: Any = None
    error: Exception | None = None


def hand_on(environ: "WSGIEnvironment", handed_on: HandedOn) -> None:
    environ[_NAME] = handed_on


def handed_on(environ: "WSGIEnvironment") -> HandedOn | None:
    """None for a request that began in Flask."""
    found: HandedOn | None = environ.get(_NAME)
    return found
