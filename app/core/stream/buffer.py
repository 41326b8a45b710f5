"""EventBuffer: the events between the 204 and PostgreSQL, in Redis streams that are read by one consumer group."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import redis

from app.core.errors import Rejected
from app.core.fixed_window import FixedWindow
from app.core.redis_client import redis_errors
from app.core.redis_cluster import answered_elsewhere
from app.core.stream.appending import Ask, Asked, Outcome, Send, one_by_one
from app.core.stream.entries import (
    EVENT_FIELD,
    FIRST_ID_FIELD,
    FIRST_RECEIVED_FIELD,
    LABEL_FIELD,
    Entry,
)
from app.core.stream.events import Event, encode_event, fingerprint
from app.core.stream.numbering import Numbering, Numbers
from app.core.stream.reading import Reader
from app.core.stream.spreading import ask_of_streams
from app.core.stream.state import BufferState, state_of
from app.core.stream.streams import id_in, key_of

IDEMPOTENCY_PREFIX = "pa:idempotency:"


class Appended(NamedTuple):
    """What became of events, and how their rate limit stands: `hits` in a window that goes on for `window_left_ms`.

    `must_wake`: they are the first since the last wake-up, so the caller must wake a worker.
    """

    outcome: Outcome
    must_wake: bool
    hits: int
    window_left_ms: int


class Packed(NamedTuple):
    """Events of a project, ready to be appended."""

    project_id: int
    asked: Asked


def packed(events: Sequence[Event], *, mark: bytes | None = None, window: FixedWindow | None = None) -> Packed:
    """As `append` takes them."""
    payloads = [encode_event(event) for event in events]
    content = b"" if mark is None else fingerprint(payloads)
    asked = Asked(window, IDEMPOTENCY_PREFIX + (mark or b"").hex(), content, payloads, ())
    return Packed(events[0].project_id, asked)


class EventBuffer:
    """Every method raises RedisUnavailable where Redis does not answer, and then the outcome is unknown.

    Whoever consumes by it must write down what it saw (app.core.stream.consumers).
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        streams: int = 1,
        max_events: int = 1_000_000,
        idempotency_window_seconds: int = 900,
        numbering: Numbering | None = None,
        together: Callable[[Send], Ask] = one_by_one,
    ) -> None:
        """`max_events` is the watermark: `append` refuses what would bring more entries than that.

        Of several `streams` each may have its share of them.
        Without `numbering` nobody would miss an event that Redis loses. `together` makes one call of the script of what
        several ask for at the same time.
        """
        self._client = client
        self._numbering = numbering
        self._streams = range(streams)
        self._turn = itertools.count()
        self._ask = ask_of_streams(
            client,
            streams,
            together,
            max_events=max_events,
            idempotency_window_seconds=idempotency_window_seconds,
        )
        self._reader = Reader(client, streams=streams)

    def append(self, *events: Event, mark: bytes | None = None, window: FixedWindow | None = None) -> Appended:
        """Add events, all or none; later calls with the same `mark` are repeats.

        Repeats count against the rate limit too, and what it has no room for counts as one hit. Raises RedisFull
        (nothing was written) and RedisUnavailable (outcome unknown).
        """
        return self.append_packed(packed(events, mark=mark, window=window))

    def append_packed(self, events: Packed) -> Appended:
        """The same for who lets go of events, of which a batch has a megabyte, before it waits for Redis."""
        project_id, asked = events
        numbering, count = self._numbering, len(asked.payloads)
        numbers = numbering.take(project_id, count) if numbering else Numbers("", 0, count)
        try:
            with redis_errors():
                answer = self._ask(Asked(*asked[:-1], numbers.labels()))
                if isinstance(answer, Exception):
                    raise answer
        except Rejected:
            if numbering:
                numbering.give_back(project_id, numbers)
            raise
        outcome, must_wake, hits, window_left_ms = answer
        if numbering and outcome == Outcome.STORED:
            numbering.acknowledge(project_id, numbers)
        elif numbering:
            numbering.give_back(project_id, numbers)
            if outcome == Outcome.REPLAYED:
                numbering.note_replayed(project_id, count)
        return Appended(Outcome(outcome), bool(must_wake), hits, window_left_ms)

    def append_again(self, payload: bytes, received_at_ms: int, *, first_id: str, project_id: int | None) -> str:
        """Add an entry as it was, with the time of its first arrival and its id then: the replay of a dead letter.

        It passes watermark and wake-up by, and is numbered where its project is known. Where the node of a stream takes
        nothing, another one has it. Returns the id of the new entry. Raises RedisUnavailable.
        """

        def add(stream: int) -> str:
            entry_id: Any = self._client.xadd(key_of(self._client, stream), fields)
            return id_in(stream, entry_id.decode())

        fields: dict[Any, Any] = {
            EVENT_FIELD: payload,
            FIRST_RECEIVED_FIELD: received_at_ms,
            FIRST_ID_FIELD: first_id,
        }
        numbers = None
        if self._numbering and project_id is not None:
            numbers = self._numbering.take(project_id, 1)
            [fields[LABEL_FIELD]] = numbers.labels()
        first = next(self._turn) % len(self._streams)
        ways = [partial(add, stream) for stream in (*self._streams[first:], *self._streams[:first])]
        with redis_errors():
            entry_id = answered_elsewhere(ways, lambda _position: None)
        if self._numbering and project_id is not None and numbers:
            self._numbering.acknowledge(project_id, numbers)
        return entry_id

    def read_new(self, consumer: str, count: int, *, wait_ms: int | None = None) -> list[Entry]:
        """Claim up to `count` entries that no consumer has had yet, waiting for the first one if told to.

        Returns an empty list where there are none. `wait_ms` must be shorter than the client's socket timeout.
        """
        return self._reader.read_new(consumer, count, wait_ms)

    def claim_stale(self, consumer: str, *, min_idle_ms: int, count: int, cursor: str) -> tuple[str, list[Entry]]:
        """Take over entries that another consumer holds unacknowledged for `min_idle_ms`.

        Returns the cursor for the next call, "0-0" when the whole list has been seen. Start with "0-0".
        """
        return self._reader.claim_stale(consumer, min_idle_ms, count, cursor)

    def renew(self, consumer: str, entry_ids: Sequence[str]) -> None:
        """Have claims of the consumer look new; entries that were acknowledged meanwhile stay so."""
        self._reader.renew(consumer, entry_ids)

    def acknowledge(self, entry_ids: Sequence[str]) -> None:
        """Forget entries that are safely in PostgreSQL. Where it fails they come again, and are found stored."""
        self._reader.acknowledge(entry_ids)

    def state(self) -> BufferState:
        """As `state_of`."""
        return state_of(self._client)
