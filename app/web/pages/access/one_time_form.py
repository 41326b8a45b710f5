"""Forms that do what they do once, though they may be sent twice: by a reload, or an impatient second click."""

import secrets

from limits import RateLimitItemPerHour

from app.core.errors import RedisFull, RedisUnavailable
from app.web.request_context import visitor
from app.web.services import services

ONE_TIME = RateLimitItemPerHour(1)


def new_once() -> str:
    """A random value for a form that is shown."""
    return secrets.token_hex(16)


def is_repeated(form: str, once: str | None) -> bool:
    """Whether the visitor sent the form with this random value before; call it once, for a valid form.

    No, where Redis cannot tell: one too many is better than none.
    """
    if not once:
        return False
    try:
        return services().limits.hit(ONE_TIME, form, f"{visitor().user_id}-{once[:64]}").exceeded
    except (RedisFull, RedisUnavailable):
        return False
