"""When a delivery that failed is tried again."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

FIRST_PAUSE = timedelta(seconds=5)
FACTOR = 3
LONGEST_PAUSE = timedelta(hours=4)
JITTER = 0.2
"""A part of the pause by which it is shorter or longer, so that what failed together does not come back together."""


def next_attempt_at(
    attempts: int, now: datetime, give_up_at: datetime, *, chance: float, asked: timedelta | None = None
) -> datetime | None:
    """The time after so many failed attempts; None where it is to be given up. `chance` is random, from 0 to 1.

    The last attempt is made when the time is up, not before. `asked`: the pause that the receiver wants at least.
    """
    if now >= give_up_at:
        return None
    # past the twentieth the power alone would be longer than any pause
    pause = min(FIRST_PAUSE * int(FACTOR ** min(attempts - 1, 20)), LONGEST_PAUSE)
    pause *= 1 - JITTER + 2 * JITTER * chance
    return min(now + max(pause, asked or timedelta(0)), give_up_at)


def pause_asked_for(retry_after: str, now: datetime) -> timedelta | None:
    """What a Retry-After header asks for, in seconds or as a date (RFC 9110, 10.2.3): LONGEST_PAUSE at most.

    None where it is neither.
    """
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        # more digits than any pause has
        return LONGEST_PAUSE if len(text) > 9 else min(timedelta(seconds=int(text)), LONGEST_PAUSE)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # a date of HTTP is one of UTC, whether its zone is told or not
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(until - now, timedelta(0)), LONGEST_PAUSE)
