"""One prompt usage event: its identity and its encoding in the buffer."""

import hashlib
from collections.abc import Iterable
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow, Subnormal
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import orjson
from uuid_utils import uuid7

from app.core.errors import UndecodableEntry

UNTIMED_VERSION = 1
TIMED_VERSION = 2
"""The versions of the encoding: of an event that counts from its entry's time, and of one with its own."""

LAST_STORABLE_MS = 253_402_214_399_999
"""The end of 9999-12-30: a partition ends on the next day, and Python's datetime with the year 9999."""

_HOUR_MS = 3_600_000
_HOUR_BYTES = 3
_HASHED = 8
"""The version of a UUID that is made of an Idempotency-Key."""
_VERSION_BYTE = 6

_CONTENT_OFFSET = len(b'[1,"') + 32
"""In an encoded event: behind the version, which has one digit, and the id. To encode it again without: 0.8 µs."""

# What rollups and PostgreSQL keep with every digit, and their squares too: wider than all that the API takes,
# narrower than what would make exact sums slow.
_STORABLE = Context(prec=420, Emin=-400, Emax=20, traps=[Inexact, InvalidOperation, Overflow, Subnormal])


class Event(NamedTuple):
    """A validated event. Numbers are decimals, exactly as the client wrote them.

    `event_id`: the 16 bytes of a UUID, which take a fifth of the time that a UUID takes.
    `occurred_at_ms`: milliseconds since the epoch; None where the client leaves it to the time of the buffer entry.
    """

    event_id: bytes
    project_id: int
    prompt_id: UUID
    version_hash: str
    latency_ms: Decimal | None = None
    cost_usd: Decimal | None = None
    score: Decimal | None = None
    occurred_at_ms: int | None = None


def new_event_id() -> bytes:
    """A UUIDv7: ids made one after another sort by time, so they land side by side in the index."""
    return uuid7().bytes


def idempotency_mark(secret: bytes, project_id: int, idempotency_key: str, position: int = 0) -> bytes:
    """The same 16 bytes for the same key in the same project, and not to be guessed without the secret.

    `position` tells the events of a batch apart. A UUIDv8 (RFC 9562, section 5.8: 122 bits of our own) over keyed
    BLAKE2b. `secret` is at most 64 bytes.
    """
    message = b"%d:%s" % (project_id, idempotency_key.encode())
    if position:
        message += b" %d" % position  # a key has no spaces, so this is never the message of another key
    digest = hashlib.blake2b(message, digest_size=16, key=secret, person=b"pa-event-id").digest()
    value = int.from_bytes(digest)
    value = value & ~(0xF << 76) | _HASHED << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return value.to_bytes(16)


def idempotent_event_id(mark: bytes, time_ms: int) -> bytes:
    """The id of an event with an Idempotency-Key: its hour, and what of the mark has room behind it (98 bits).

    Hashes alone lie all over the index of a day, and after each checkpoint PostgreSQL logs a whole page for nearly
    every event: 4 KB. Those of an hour lie side by side. `time_ms`: the event's own time, so that its repeats get the
    same id whenever they come; else that of its arrival, so that a repeat in the next hour gets another one.
    """
    return (time_ms // _HOUR_MS).to_bytes(_HOUR_BYTES) + mark[_HOUR_BYTES:]


def id_of_another_hour(event_id: bytes, hours: int) -> bytes | None:
    """What the id would have been so many hours later; None where it was made of no Idempotency-Key."""
    if event_id[_VERSION_BYTE] >> 4 != _HASHED:
        return None
    return _later_hour(event_id[:_HOUR_BYTES], hours) + event_id[_HOUR_BYTES:]


@lru_cache(maxsize=100)
def _later_hour(hour: bytes, hours: int) -> bytes:
    return ((int.from_bytes(hour) + hours) % (1 << 8 * _HOUR_BYTES)).to_bytes(_HOUR_BYTES)


def encode_event(event: Event) -> bytes:
    """The bytes that go into the buffer: a JSON array that starts with the version of the encoding.

    Numbers travel as text, so that no digit is lost between the client and PostgreSQL.
    """
    fields = [
        UNTIMED_VERSION,
        event.event_id.hex(),
        event.project_id,
        event.prompt_id.hex,
        event.version_hash,
        _text(event.latency_ms),
        _text(event.cost_usd),
        _text(event.score),
    ]
    if event.occurred_at_ms is not None:
        fields[0] = TIMED_VERSION
        fields.append(event.occurred_at_ms)
    # A copy, because orjson's own bytes hold on to 4 KB however short they are: 4 MB for each batch of a thousand.
    return bytes(memoryview(orjson.dumps(fields)))


def decode_event(payload: bytes) -> Event:
    """The event in a buffer entry. Raises UndecodableEntry, which says what is wrong but never a value."""
    try:
        version, event_id, project_id, prompt_id, version_hash, latency_ms, cost_usd, score, *time = orjson.loads(
            payload
        )
        if version != (TIMED_VERSION if time else UNTIMED_VERSION) or len(time) > 1:
            raise UndecodableEntry("unknown encoding version")
        if not isinstance(project_id, int) or not isinstance(version_hash, str):
            raise UndecodableEntry("a field has the wrong type")
        # by position: names would cost a tenth of it
        return Event(
            _event_id(event_id),
            project_id,
            _prompt_id(prompt_id),
            version_hash,
            None if latency_ms is None else storable_number(latency_ms),
            None if cost_usd is None else storable_number(cost_usd),
            None if score is None else storable_number(score),
            _storable_ms(time[0]) if time else None,
        )
    except (ValueError, TypeError, AttributeError, DecimalException) as error:
        raise UndecodableEntry(f"not an encoded event: {type(error).__name__}") from error


def fingerprint(payloads: Iterable[bytes]) -> bytes:
    """16 bytes that are equal for encoded events with equal content in the same order, whatever their event ids."""
    contents = b"".join(payload[_CONTENT_OFFSET:] for payload in payloads)
    return hashlib.blake2b(contents, digest_size=16).digest()


def _event_id(text: str) -> bytes:
    event_id = bytes.fromhex(text)
    if (len(text), len(event_id)) != (32, 16):
        raise UndecodableEntry("not the id of an event")
    return event_id


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _storable_ms(milliseconds: int) -> int:
    if type(milliseconds) is not int or not 0 <= milliseconds <= LAST_STORABLE_MS:
        raise UndecodableEntry("a time is out of range")
    return milliseconds


def storable_number(text: str) -> Decimal:
    """With every digit. Raises UndecodableEntry, or decimal's own errors, for what rollups would not keep exactly."""
    number = _STORABLE.create_decimal(text)
    if not number.is_finite():
        raise UndecodableEntry("a number is not finite")
    return number


@lru_cache(maxsize=10_000)
def _prompt_id(text: str) -> UUID:
    """The few prompts of a batch come again and again, and a UUID takes long to make."""
    return UUID(hex=text)
