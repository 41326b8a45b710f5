"""When API keys were used: the first event of each, and the last use to about a minute.

That is what a person needs to tell whether a new key works, and which key is still in use.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import redis

from app.core.background import DelayedCall
from app.core.errors import Rejected, Unavailable
from app.core.redis_client import redis_errors

LAST_USED = "pa:api-keys-used"
"""A hash: a key's id, and when it was last used, in seconds since the epoch."""
FIRST_EVENT = "pa:api-keys-first-event"
"""The same for the first event of each, with its fraction of a second."""
RESOLUTION_SECONDS = 60
MAX_REMEMBERED = 10_000


class KeyUses:
    """One in each process. To note a use costs a look into a dictionary, and once a minute an entry in it.

    What Redis does not take is lost until the key is used in a later minute.
    """

    def __init__(self, client: redis.Redis, *, delay_seconds: float = 1.0) -> None:
        """What was noted is written together after `delay_seconds`."""
        self._client = client
        self._noted: dict[int, int] = {}
        self._waiting: dict[int, int] = {}
        self._flush = DelayedCall(self._write, delay_seconds=delay_seconds)

    def note(self, key_id: int, now_seconds: float) -> None:
        """The key is in use. Never waits and never raises."""
        if now_seconds - self._noted.get(key_id, 0) < RESOLUTION_SECONDS:
            return
        if len(self._noted) >= MAX_REMEMBERED:
            self._noted.clear()
        self._noted[key_id] = self._waiting[key_id] = int(now_seconds)
        self._flush.schedule()

    def _write(self) -> bool:
        waiting, self._waiting = self._waiting, {}
        try:
            with redis_errors():
                self._client.hset(LAST_USED, mapping={str(key_id): at for key_id, at in waiting.items()})
        except (Unavailable, Rejected):
            for key_id in waiting:
                self._noted.pop(key_id, None)
        return True


def last_used(client: redis.Redis, key_ids: Sequence[int]) -> dict[int, datetime]:
    """When these keys were last used; those that were not are left out. Raises RedisUnavailable."""
    if not key_ids:
        return {}
    with redis_errors():
        seconds = client.hmget(LAST_USED, [str(key_id) for key_id in key_ids])
    return {
        key_id: datetime.fromtimestamp(int(each), UTC)
        for key_id, each in zip(key_ids, seconds, strict=True)
        if each is not None
    }


class FirstEvents:
    """When the first event of each key was taken; one in each process.

    To note an event costs a look into a set. What Redis does not take is noted with the key's next event; so it is
    after a loss of Redis's data, in a process that has not noted the key before.
    """

    def __init__(
        self, client: redis.Redis, *, clock: Callable[[], float] = time.time, delay_seconds: float = 1.0
    ) -> None:
        """`clock`: seconds since the epoch. What was noted is written together after `delay_seconds`."""
        self._client = client
        self._clock = clock
        self._noted: set[int] = set()
        self._waiting: dict[int, float] = {}
        self._flush = DelayedCall(self._write, delay_seconds=delay_seconds)

    def note(self, key_id: int) -> None:
        """An event with this key was taken. Never waits and never raises."""
        if key_id in self._noted:
            return
        if len(self._noted) >= MAX_REMEMBERED:
            self._noted.clear()
        self._noted.add(key_id)
        self._waiting[key_id] = self._clock()
        self._flush.schedule()

    def _write(self) -> bool:
        waiting, self._waiting = self._waiting, {}
        try:
            with redis_errors(), self._client.pipeline(transaction=False) as pipeline:
                for key_id, at in waiting.items():
                    pipeline.hsetnx(FIRST_EVENT, str(key_id), str(at))
                pipeline.execute()
        except (Unavailable, Rejected):
            self._noted.difference_update(waiting)
        return True


def first_event_at(client: redis.Redis, key_id: int) -> datetime | None:
    """When the first event with this key was taken; None where there was none. Raises RedisUnavailable."""
    with redis_errors():
        at = client.hget(FIRST_EVENT, str(key_id))
    return None if at is None else datetime.fromtimestamp(float(at), UTC)
