"""The last refused requests of each project, kept in Redis: for whoever asks why a client is refused.

Of what a client sent there is nothing but the id of the request, where it chose that itself: names of fields and what
is wrong with them are the service's own words (refusal_entries.py). Whoever is refused thousands of times a second
fills neither Redis nor the time of the web process: of each kind (one key, one code) a hundred are kept, then one in
ten seconds in each process, and of the others their number. A full log drops the oldest of the kind that has the most,
so that a loud key pushes out nobody else's entries (refusal_shares.py).
"""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar, cast

import redis

from app.core.background import DelayedCall
from app.core.errors import Rejected, Unavailable
from app.core.operations.refusal_entries import Faults, RefusalEntry, decode, encode, faults_of
from app.core.operations.refusal_shares import surplus_of
from app.core.redis_client import redis_errors

REFUSED = "pa:refused"
KEPT_ENTRIES = 1_000
LEFT_ENTRIES = 900
"""So many are left of more than KEPT_ENTRIES: all are read for that, so it is done once for a hundred new ones."""
KEPT_SECONDS = 7 * 86_400
BURST = 100
SECONDS_BETWEEN = 10.0
MAX_KINDS = 10_000
MAX_WAITING = 1_000
"""So many entries wait at most, in each process, for a Redis that does not answer."""

log = logging.getLogger(__name__)

_Item = TypeVar("_Item")


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


class _Noted(NamedTuple):
    """What is to be told of a request: of its details no more than their faults, for there may be thousands."""

    refused: Refused
    at: float
    faults: Faults
    left_out: int


class RefusalLog:
    """One in each process."""

    def __init__(
        self, client: redis.Redis, *, clock: Callable[[], float] = time.time, delay_seconds: float = 1.0
    ) -> None:
        """`clock`: seconds since the epoch. What was noted is told together after `delay_seconds`."""
        self._client = client
        self._clock = clock
        self._sample = _Sample()
        self._noted: deque[_Noted] = deque()
        # full, it lets go of the newest: what an outage has put off is told first
        self._unwritten: deque[tuple[int, float, bytes]] = deque(maxlen=MAX_WAITING)
        self._flush = DelayedCall(self._tell, delay_seconds=delay_seconds)

    def note(self, refused: Refused) -> None:
        """Tell of it a moment later, unless there are too many like it. Never waits and never raises.

        It takes as long whether or not the key is known, so that the answer's time tells nobody.
        """
        now = self._clock()
        left_out = self._sample.take((refused.project_id, refused.key_id, refused.code), now)
        if left_out is not None and len(self._noted) < MAX_WAITING:
            self._noted.append(_Noted(refused._replace(details=()), now, faults_of(refused.details), left_out))
            self._flush.schedule()

    def _tell(self) -> bool:
        """Each in the process's log, and those with a project in Redis; whether Redis took them all."""
        for noted in _taken_from(self._noted):
            log.info("request refused", extra=_line(noted))
            project_id, key_id = noted.refused.project_id, noted.refused.key_id
            if project_id is not None and key_id is not None and len(self._unwritten) < MAX_WAITING:
                self._unwritten.append((project_id, noted.at, encode(_entry(noted, key_id))))
        return self._write()

    def _write(self) -> bool:
        unwritten = _taken_from(self._unwritten)
        if not unwritten:
            return True
        by_project: defaultdict[int, dict[bytes, float]] = defaultdict(dict)
        for project_id, at, entry in unwritten:
            by_project[project_id][entry] = at
        try:
            for project_id, entries in by_project.items():
                key = _key(project_id)
                # in a cluster two projects may be on two nodes, and no transaction goes over both
                with redis_errors(), self._client.pipeline(transaction=True) as pipeline:
                    pipeline.zadd(key, entries)
                    pipeline.zremrangebyscore(key, "-inf", self._clock() - KEPT_SECONDS)
                    pipeline.expire(key, KEPT_SECONDS)
                    pipeline.execute()
                _make_room(self._client, key)
        except (Unavailable, Rejected):
            # an outage is when refusals are worth seeing; what was written all the same is the same entry again
            self._unwritten.extendleft(reversed(unwritten))
            return False
        return True


def _taken_from(waiting: "deque[_Item]") -> "list[_Item]":
    return [waiting.popleft() for _ in range(len(waiting))]


def _make_room(client: redis.Redis, key: str) -> None:
    """Two processes that do it at once choose the same entries."""
    with redis_errors():
        if client.zcard(key) <= KEPT_ENTRIES:
            return
        surplus = surplus_of(cast(list[bytes], client.zrange(key, 0, -1)), LEFT_ENTRIES)
        if surplus:
            client.zrem(key, *surplus)


class _Sample:
    """Which of many things of a kind to keep: BURST of them, and one in SECONDS_BETWEEN."""

    def __init__(self) -> None:
        # of each kind: how many may be kept now, as of when that was, and how many were left out since the last one
        self._kinds: dict[object, tuple[float, float, int]] = {}

    def take(self, kind: object, now: float) -> int | None:
        """None for one that is left out; else how many of its kind were, since the last one that was not."""
        allowance, at, left_out = self._kinds.get(kind, (BURST, now, 0))
        # a clock that was set back gives nothing
        allowance = min(BURST, allowance + max(0.0, now - at) / SECONDS_BETWEEN)
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
        # there are more for the moment in which a process makes room
        found = client.zrevrangebyscore(
            _key(project_id),
            "+inf",
            oldest if since is None else max(oldest, since.timestamp()),
            start=0,
            num=KEPT_ENTRIES,
        )
    return [entry for each in found if (entry := decode(cast(bytes, each))) is not None]


def _line(noted: _Noted) -> dict[str, object]:
    """The fields of the line in the log of the process."""
    told = noted.refused._asdict()
    del told["details"]
    fields = [fault.field for fault in noted.faults.kept]
    return {**told, "fields": fields, "more_faults": noted.faults.more, "left_out": noted.left_out}


def _entry(noted: _Noted, key_id: int) -> RefusalEntry:
    return RefusalEntry(
        at=datetime.fromtimestamp(noted.at, UTC),
        key_id=key_id,
        call=noted.refused.call,
        status=noted.refused.status,
        code=noted.refused.code,
        request_id=noted.refused.request_id,
        faults=noted.faults.kept,
        more_faults=noted.faults.more,
        left_out=noted.left_out,
    )


def _key(project_id: int) -> str:
    return f"{REFUSED}:{project_id}"
