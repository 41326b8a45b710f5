"""When a delivery that failed is tried again."""

from datetime import datetime, timedelta

FIRST_PAUSE = timedelta(seconds=5)
FACTOR = 3
LONGEST_PAUSE = timedelta(hours=4)
JITTER = 0.2
"""A part of the pause by which it is shorter or longer, so that what failed together does not come back together."""


def next_attempt_at(attempts: int, now: datetime, give_up_at: datetime, *, chance: float) -> datetime | None:
    """The time after so many failed attempts; None where it is to be given up. `chance` is random, from 0 to 1.

    The last attempt is made when the time is up, not before.
    """
    if now >= give_up_at:
        return None
    # past the twentieth the power alone would be longer than any pause
    pause = min(FIRST_PAUSE * int(FACTOR ** min(attempts - 1, 20)), LONGEST_PAUSE)
    return min(now + pause * (1 - JITTER + 2 * JITTER * chance), give_up_at)
