"""EventBuffer: the events between the 204 and PostgreSQL, in one Redis stream read by one consumer group."""

from collections.abc import Callable, Sequence
from enum import IntEnum
from importlib.resources import files
from typing import Any, NamedTuple

import redis

from app.core.errors import ConsumerGroupMissing, Rejected
from app.core.fixed_window import COUNT_HITS, FixedWindow
from app.core.redis_client import create_group, redis_errors
from app.core.stream.consumers import marked
from app.core.stream.entries import (
    EVENT_FIELD,
    FIRST_ID_FIELD,
    FIRST_RECEIVED_FIELD,
    LABEL_FIELD,
    Entry,
    entries_of,
)
from app.core.stream.events import Event, encode_event, fingerprint
from app.core.stream.numbering import Numbering, Numbers, label_of
from app.core.stream.state import GROUP, READ_SIZE, STREAM, BufferState, state_of

WAKE_FLAG = "pa:wake"
WAKE_QUEUE = "drain"
"""The RQ queue of wake-ups, and below the one function that comes through it."""
WAKE_JOB = "worker.jobs.drain"
_WAKE_LIST = "rq:queue:" + WAKE_QUEUE
IDEMPOTENCY_PREFIX = "pa:idempotency:"

WAKE_INTERVAL_MS = 1_000
MAX_WAITING_WAKE_UPS = 4
"""Without a worker nobody empties the queue of wake-ups; this many are enough to wake several at once."""

_APPEND = COUNT_HITS + files("app.core.stream").joinpath("append.lua").read_text()
# One without the other would leave an entry that nobody reads or nobody deletes. MULTI is refused by a full Redis.
_ACKNOWLEDGE = """
redis.call('XACK', KEYS[1], unpack(ARGV))
table.remove(ARGV, 1)
return redis.call('XDEL', KEYS[1], unpack(ARGV))
"""


class Outcome(IntEnum):
    """What became of events, as append.lua tells it. All but STORED and REPLAYED: surely not stored."""

    STORED = 0
    REPLAYED = 1
    """They were stored before, under the same id."""
    KEY_REUSED = 2
    """Their id was used before, with other content."""
    BUFFER_FULL = 3
    """They would bring the buffer above its watermark."""
    OVER_LIMIT = 4
    """They are more than the rate limit has left."""


class Appended(NamedTuple):
    """What became of events, and how their rate limit stands: `hits` in a window that goes on for `window_left_ms`.

    `must_wake`: they are the first since the last wake-up, so the caller must wake a worker.
    """

    outcome: Outcome
    must_wake: bool
    hits: int
    window_left_ms: int


class EventBuffer:
    """Every method raises RedisUnavailable where Redis does not answer, and then the outcome is unknown.

    Whoever consumes by it must write down what it saw (app.core.stream.consumers).
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        max_events: int = 1_000_000,
        idempotency_window_seconds: int = 900,
        numbering: Numbering | None = None,
    ) -> None:
        """`max_events` is the watermark: `append` refuses what would bring more entries than that.

        Without `numbering` nobody would miss an event that Redis loses.
        """
        self._client = client
        self._numbering = numbering
        self._append = client.register_script(_APPEND)
        self._acknowledge = client.register_script(_ACKNOWLEDGE)
        self._append_limits = (GROUP, max_events, WAKE_INTERVAL_MS, MAX_WAITING_WAKE_UPS)
        self._idempotency_window_ms = idempotency_window_seconds * 1_000

    def append(self, *events: Event, mark: bytes | None = None, window: FixedWindow | None = None) -> Appended:
        """Add events, all or none; later calls with the same `mark` are repeats.

        Repeats count against the rate limit too, and what it has no room for counts as one hit. Raises RedisFull
        (nothing was written) and RedisUnavailable (outcome unknown).
        """
        payloads = [encode_event(event) for event in events]
        content = b"" if mark is None else fingerprint(payloads)
        keys = [
            STREAM,
            WAKE_FLAG,
            _WAKE_LIST,
            window.counter if window else "",
            IDEMPOTENCY_PREFIX + (mark or b"").hex(),
        ]
        rate = (window.limit, window.length_ms) if window else ("", "")
        arguments = [*self._append_limits, *rate, content, self._idempotency_window_ms]
        return self._append_numbered(events[0].project_id, keys, arguments, payloads)

    def _append_numbered(
        self, project_id: int, keys: Sequence[str], arguments: Sequence[Any], payloads: Sequence[bytes]
    ) -> Appended:
        numbering = self._numbering
        numbers = numbering.take(project_id, len(payloads)) if numbering else Numbers("", 0, len(payloads))
        try:
            with redis_errors():
                outcome, must_wake, hits, window_left_ms = self._append(
                    keys=keys, args=[*arguments, numbers.series, numbers.first, *payloads]
                )
        except Rejected:
            if numbering:
                numbering.give_back(project_id, numbers)
            raise
        if numbering and outcome == Outcome.STORED:
            numbering.acknowledge(project_id, numbers)
        elif numbering:
            numbering.give_back(project_id, numbers)
            if outcome == Outcome.REPLAYED:
                numbering.note_replayed(project_id, len(payloads))
        return Appended(Outcome(outcome), bool(must_wake), hits, window_left_ms)

    def append_again(self, payload: bytes, received_at_ms: int, *, first_id: str, project_id: int | None) -> str:
        """Add an entry as it was, with the time of its first arrival and its id then: the replay of a dead letter.

        It passes watermark and wake-up by, and is numbered where its project is known. Returns the id of the new entry.
        Raises RedisUnavailable.
        """
        fields: dict[Any, Any] = {
            EVENT_FIELD: payload,
            FIRST_RECEIVED_FIELD: received_at_ms,
            FIRST_ID_FIELD: first_id,
        }
        numbers = None
        if self._numbering and project_id is not None:
            numbers = self._numbering.take(project_id, 1)
            fields[LABEL_FIELD] = label_of(numbers.series, numbers.first)
        with redis_errors():
            entry_id: Any = self._client.xadd(STREAM, fields)
        if self._numbering and project_id is not None and numbers:
            self._numbering.acknowledge(project_id, numbers)
        return str(entry_id.decode())

    def read_new(self, consumer: str, count: int, *, wait_ms: int | None = None) -> list[Entry]:
        """Claim up to `count` entries that no consumer has had yet, waiting for the first one if told to.

        Returns an empty list where there are none. `wait_ms` must be shorter than the client's socket timeout.
        """
        answer = self._with_group(
            lambda: self._client.xreadgroup(GROUP, marked(consumer), {STREAM: ">"}, count=count, block=wait_ms)
        )
        return entries_of(answer[0][1]) if answer else []

    def claim_stale(self, consumer: str, *, min_idle_ms: int, count: int, cursor: str) -> tuple[str, list[Entry]]:
        """Take over entries that another consumer holds unacknowledged for `min_idle_ms`.

        Returns the cursor for the next call, "0-0" when the whole list has been seen. Start with "0-0".
        """
        answer = self._with_group(
            lambda: self._client.xautoclaim(STREAM, GROUP, marked(consumer), min_idle_ms, start_id=cursor, count=count)
        )
        return answer[0].decode(), entries_of(answer[1])

    def renew(self, consumer: str, entry_ids: Sequence[str]) -> None:
        """Have claims of the consumer look new; entries that were acknowledged meanwhile stay so."""
        with redis_errors():
            for begin in range(0, len(entry_ids), READ_SIZE):
                ids: list[Any] = list(entry_ids[begin : begin + READ_SIZE])
                self._client.xclaim(STREAM, GROUP, marked(consumer), 0, ids, justid=True)

    def acknowledge(self, entry_ids: Sequence[str]) -> None:
        """Forget entries that are safely in PostgreSQL. Where it fails they come again, and are found stored."""
        if not entry_ids:
            return
        with redis_errors():
            self._acknowledge(keys=[STREAM], args=[GROUP, *entry_ids])

    def state(self) -> BufferState:
        """As `state_of`."""
        return state_of(self._client)

    def _with_group(self, command: Callable[[], Any]) -> Any:
        """Run a group command, and make the group first where it is missing (a new or an emptied Redis).

        It begins at 0, so that no entry is passed over. It is not made beforehand each time, because Redis
        refuses XGROUP CREATE when it is full, just when the drain is needed most.
        """
        try:
            with redis_errors():
                return command()
        except ConsumerGroupMissing:
            with redis_errors():
                create_group(self._client, STREAM, GROUP)
                return command()
