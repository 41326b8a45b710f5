"""The last refused requests of each project, kept in Redis: for whoever asks why a client is refused.

Of what a client sent there is nothing but the id of the request, where it chose that itself: names of fields and what
is wrong with them are the service's own words. Whoever is refused thousands of times a second fills neither Redis nor
the time of the web process: of each kind (one key, one code) a hundred are kept, then one a second in each process, and
of the others their number.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import orjson
import redis

from app.core.background import DelayedCall
from app.core.errors import Rejected, Unavailable
from app.core.redis_client import redis_errors

REFUSED = "pa:refused"
KEPT_ENTRIES = 1_000
KEPT_SECONDS = 7 * 86_400
BURST = 100
PER_SECOND = 1.0
MAX_KINDS = 10_000
MAX_WAITING = 1_000
"""So many entries wait at most, in each process, for a Redis that does not answer."""


class Fault(NamedTuple):
    """What is wrong with a request: the field, without its place in a batch, and in words of ours what it should be."""

    field: str
    message: str


class Refused(NamedTuple):
    """A request that was refused. `details` as in its answer; `call` says what was called: event, batch or read.

    Without a project and a key where the key was not known: then it is in no project's log.
    """

    project_id: int | None
    key_id: int | None
    call: str
    status: int
    code: str
    request_id: str
    details: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalEntry:
    """A line of a project's log. `left_out`: how many like it the same process refused before it and did not keep."""

    at: datetime
    key_id: int
    call: str
    status: int
    code: str
    request_id: str
    faults: tuple[Fault, ...]
    left_out: int


class RefusalLog:
    """One in each process."""

    def __init__(
        self, client: redis.Redis, *, clock: Callable[[], float] = time.time, delay_seconds: float = 1.0
    ) -> None:
        """`clock`: seconds since the epoch. What was noted is written together after `delay_seconds`."""
        self._client = client
        self._clock = clock
        self._sample = _Sample()
        self._waiting: deque[tuple[int, float, bytes]] = deque()
        self._flush = DelayedCall(self._write, delay_seconds=delay_seconds)

    def note(self, refused: Refused) -> bool:
        """Keep it, unless there are too many like it; whether it is one to tell of. Never waits and never raises."""
        now = self._clock()
        left_out = self._sample.take((refused.project_id, refused.key_id, refused.code), now)
        if left_out is None:
            return False
        if refused.project_id is not None and len(self._waiting) < MAX_WAITING:
            self._waiting.append((refused.project_id, now, _encode(refused, now, left_out)))
            self._flush.schedule()
        return True

    def _write(self) -> bool:
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            with redis_errors(), self._client.pipeline(transaction=True) as pipeline:
                for project_id, at, entry in waiting:
                    pipeline.zadd(_key(project_id), {entry: at})
                for project_id in {project_id for project_id, _, _ in waiting}:
                    _trim(pipeline, _key(project_id), self._clock())
                pipeline.execute()
        except (Unavailable, Rejected):
            # an outage is when refusals are worth seeing; what was written all the same is the same entry again
            self._waiting.extendleft(reversed(waiting))
            while len(self._waiting) > MAX_WAITING:
                self._waiting.pop()
            return False
        return True


def _trim(pipeline: "redis.client.Pipeline", key: str, now: float) -> None:
    pipeline.zremrangebyrank(key, 0, -KEPT_ENTRIES - 1)
    pipeline.zremrangebyscore(key, "-inf", now - KEPT_SECONDS)
    pipeline.expire(key, KEPT_SECONDS)


class _Sample:
    """Which of many things of a kind to keep: BURST of them, and of more PER_SECOND."""

    def __init__(self) -> None:
        # of each kind: how many may be kept now, as of when that was, and how many were left out since the last one
        self._kinds: dict[object, tuple[float, float, int]] = {}

    def take(self, kind: object, now: float) -> int | None:
        """None for one that is left out; else how many of its kind were, since the last one that was not."""
        allowance, at, left_out = self._kinds.get(kind, (BURST, now, 0))
        # a clock that was set back gives nothing
        allowance = min(BURST, allowance + PER_SECOND * max(0.0, now - at))
        if len(self._kinds) >= MAX_KINDS:
            self._kinds.clear()
        is_kept = allowance >= 1
        self._kinds[kind] = (allowance - 1, now, 0) if is_kept else (allowance, now, left_out + 1)
        return left_out if is_kept else None


def read_refusals(
    client: redis.Redis, project_id: int, now: datetime, *, since: datetime | None = None
) -> list[RefusalEntry]:
    """A project's log, the newest first, or what came since then. Raises RedisUnavailable."""
    oldest = now.timestamp() - KEPT_SECONDS
    with redis_errors():
        found = client.zrevrangebyscore(
            _key(project_id), "+inf", oldest if since is None else max(oldest, since.timestamp())
        )
    return [entry for each in found if (entry := _decode(cast(bytes, each))) is not None]


def faults_of(details: Sequence[Mapping[str, object]]) -> list[Fault]:
    """Each once, however many events of a batch have it: so no more than there are rules."""
    return list(dict.fromkeys(Fault(_without_place(str(each["field"])), str(each["message"])) for each in details))


def _without_place(field: str) -> str:
    """events[17].score is events[].score."""
    before, bracket, after = field.partition("[")
    return f"{before}[]{after.partition(']')[2]}" if bracket else field


def _encode(refused: Refused, at: float, left_out: int) -> bytes:
    return orjson.dumps(
        {
            "at": at,
            "key_id": refused.key_id,
            "call": refused.call,
            "status": refused.status,
            "code": refused.code,
            "request_id": refused.request_id,
            "faults": [list(fault) for fault in faults_of(refused.details)],
            "left_out": left_out,
        }
    )


def _decode(entry: bytes) -> RefusalEntry | None:
    """None for an entry of another shape (another version's)."""
    try:
        fields: dict[str, Any] = orjson.loads(entry)
        return RefusalEntry(
            at=datetime.fromtimestamp(fields["at"], UTC),
            key_id=fields["key_id"],
            call=fields["call"],
            status=fields["status"],
            code=fields["code"],
            request_id=fields["request_id"],
            faults=tuple(Fault(*each) for each in fields["faults"]),
            left_out=fields["left_out"],
        )
    except (ValueError, KeyError, TypeError):
        return None


def _key(project_id: int) -> str:
    return f"{REFUSED}:{project_id}"
