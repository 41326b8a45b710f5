"""How often one user or address may do a thing on the pages."""

from limits import RateLimitItem

from app.web.errors import rate_limited
from app.web.pages.layout.errors import PageError
from app.web.services import services


def charge(limit: RateLimitItem, subject: str, identifier: str, *, words: tuple[str, str] | None = None) -> None:
    """Count one time. Raises a 429 for one too many, with a title and a message of its own where `words` has them.

    Raises RedisFull and RedisUnavailable.
    """
    window = services().limits.hit(limit, subject, identifier)
    if not window.exceeded:
        return
    if words is None:
        raise rate_limited("Too many requests.", retry_after_seconds=window.retry_after_seconds)
    raise PageError(429, "RATE_LIMITED", *words, retry_after_seconds=window.retry_after_seconds)
