"""What workers read: the entries of all streams, as if there were one.

Each worker begins with streams of its own, by rendezvous hashing among the workers that were seen of late: so each is
mostly connected to few nodes of a cluster, and two of them rarely ask one node at the same time. What is left over it
takes from the streams of the others, and regularly looks there first. So nothing waits for a worker that has died or
lags behind, and nobody has to agree on who is alive.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import redis

from app.core.errors import ConsumerGroupMissing, Rejected, Unavailable
from app.core.redis_client import create_group, redis_errors
from app.core.stream.consumers import marked
from app.core.stream.entries import Entry, entries_of
from app.core.stream.state import GROUP, READ_SIZE
from app.core.stream.streams import by_stream, key_of, streams_in

WORKERS = "pa:workers"
PRESENT_SECONDS = 45
"""A worker that was not heard of for so long is dead, or busy with one batch: others have its streams meanwhile."""
LOOK_SECONDS = 10.0
"""Between two looks for streams and workers."""
OTHERS_SECONDS = 1.0
"""As often the streams of others come first, however much there is in its own: theirs may be dead, or lag behind."""
POLL_SECONDS = 0.05
"""Nobody can wait at several nodes at the same time."""
FIRST_CURSOR = "0-0"

# One without the other would leave an entry that nobody reads or nobody deletes. MULTI is refused by a full Redis.
_ACKNOWLEDGE = """
redis.call('XACK', KEYS[1], unpack(ARGV))
table.remove(ARGV, 1)
return redis.call('XDEL', KEYS[1], unpack(ARGV))
"""


# By Redis's clock, the one that all have.
_MEET = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""


class Reader:
    """Its methods are those of EventBuffer; where one stream does not answer the others are read all the same."""

    def __init__(self, client: redis.Redis, *, streams: int) -> None:
        self._client = client
        self._configured = range(streams)
        self._own: Sequence[int] = self._configured
        self._others: Sequence[int] = ()
        self._next_look = 0.0
        self._turn = 0
        self._others_next = 0.0
        self._acknowledge = client.register_script(_ACKNOWLEDGE)
        self._meet = client.register_script(_MEET)

    def read_new(self, consumer: str, count: int, wait_ms: int | None) -> list[Entry]:
        self._look_around(consumer)
        if not self._others and len(self._own) == 1:
            return self._read(self._own[0], consumer, count, wait_ms)
        until = time.monotonic() + (wait_ms or 0) / 1_000
        while True:
            failures: list[Unavailable] = []
            entries = self._read_some(consumer, count, failures)
            if entries or time.monotonic() >= until:
                break
            time.sleep(POLL_SECONDS)
        if failures and not entries:
            raise failures[0]
        return entries

    def claim_stale(self, consumer: str, min_idle_ms: int, count: int, cursor: str) -> tuple[str, list[Entry]]:
        """The cursor names the stream too, unless there is but one."""
        self._look_around(consumer)
        streams = sorted([*self._own, *self._others])
        named, _, start = cursor.rpartition("/")
        stream = int(named) if named else streams[0]
        if len(streams) == 1:
            return self._claim(stream, consumer, min_idle_ms, count, start)
        entries: list[Entry] = []
        start_next = FIRST_CURSOR
        # one that does not answer is told of by `read_new`
        with suppress(Unavailable):
            start_next, entries = self._claim(stream, consumer, min_idle_ms, count, start)
        if start_next != FIRST_CURSOR:
            return f"{stream}/{start_next}", entries
        following = next((each for each in streams if each > stream), None)
        return FIRST_CURSOR if following is None else f"{following}/{FIRST_CURSOR}", entries

    def renew(self, consumer: str, entry_ids: Sequence[str]) -> None:
        _in_each(
            entry_ids,
            lambda stream, ids: self._client.xclaim(
                key_of(self._client, stream), GROUP, marked(consumer), 0, ids, justid=True
            ),
        )

    def acknowledge(self, entry_ids: Sequence[str]) -> None:
        _in_each(
            entry_ids,
            lambda stream, ids: self._acknowledge(keys=[key_of(self._client, stream)], args=[GROUP, *ids]),
        )

    def _look_around(self, consumer: str) -> None:
        """Which streams there are, and which of them are this worker's; what cannot be seen stays as it was."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        with suppress(Unavailable, Rejected):
            streams = sorted({*self._configured, *streams_in(self._client)})
            workers = [consumer] if len(streams) == 1 else self._workers(consumer)
            self._own = [stream for stream in streams if _worker_of(stream, workers) == consumer]
            self._others = [stream for stream in streams if stream not in self._own]

    def _workers(self, consumer: str) -> list[str]:
        """Those that were heard of late, this one among them."""
        with redis_errors():
            return [name.decode() for name in self._meet(keys=[WORKERS], args=[consumer, PRESENT_SECONDS])]

    def _read_some(self, consumer: str, count: int, failures: list[Unavailable]) -> list[Entry]:
        first, second = self._own, self._others
        if time.monotonic() >= self._others_next:
            first, second = second, first
            self._others_next = time.monotonic() + OTHERS_SECONDS
        return self._read_each(first, consumer, count, failures) or self._read_each(second, consumer, count, failures)

    def _read_each(self, streams: Sequence[int], consumer: str, count: int, failures: list[Unavailable]) -> list[Entry]:
        entries: list[Entry] = []
        self._turn += 1
        for position in range(len(streams)):
            stream = streams[(self._turn + position) % len(streams)]
            try:
                entries += self._read(stream, consumer, count - len(entries), None)
            except Unavailable as failure:
                failures.append(failure)
            if len(entries) >= count:
                break
        return entries

    def _read(self, stream: int, consumer: str, count: int, wait_ms: int | None) -> list[Entry]:
        name = key_of(self._client, stream)
        answer = self._with_group(
            name, lambda: self._client.xreadgroup(GROUP, marked(consumer), {name: ">"}, count=count, block=wait_ms)
        )
        return entries_of(answer[0][1], stream) if answer else []

    def _claim(self, stream: int, consumer: str, min_idle_ms: int, count: int, start: str) -> tuple[str, list[Entry]]:
        name = key_of(self._client, stream)
        answer = self._with_group(
            name,
            lambda: self._client.xautoclaim(name, GROUP, marked(consumer), min_idle_ms, start_id=start, count=count),
        )
        return answer[0].decode(), entries_of(answer[1], stream)

    def _with_group(self, name: str, command: Callable[[], Any]) -> Any:
        """Run a group command, and make the group first where it is missing (a new or an emptied Redis).

        It begins at 0, so that no entry is passed over. It is not made beforehand each time, because Redis
        refuses XGROUP CREATE when it is full, just when the drain is needed most.
        """
        try:
            with redis_errors():
                return command()
        except ConsumerGroupMissing:
            with redis_errors():
                create_group(self._client, name, GROUP)
                return command()


def _in_each(entry_ids: Sequence[str], do: Callable[[int, list[Any]], object]) -> None:
    """In every stream, READ_SIZE at a time; where one does not answer, in the others before that is raised."""
    failure = None
    for stream, ids in by_stream(entry_ids).items():
        try:
            with redis_errors():
                for begin in range(0, len(ids), READ_SIZE):
                    do(stream, ids[begin : begin + READ_SIZE])
        except Unavailable as error:
            failure = error
    if failure is not None:
        raise failure


def _worker_of(stream: int, workers: Iterable[str]) -> str:
    """Rendezvous hashing: when a worker comes or goes, only streams change hands that become or were its own."""
    return max(workers, key=lambda worker: hashlib.blake2b(f"{stream} {worker}".encode()).digest())
