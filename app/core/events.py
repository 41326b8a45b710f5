"""One prompt usage event: its identity and its encoding in the buffer."""

import hashlib
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow, Subnormal
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from app.core.errors import UndecodableEntry

ENCODING_VERSION = 1

# What rollups and PostgreSQL keep with every digit, and their squares too: wider than all that the API takes,
# narrower than what would make exact sums slow.
_STORABLE = Context(prec=420, Emin=-400, Emax=20, traps=[Inexact, InvalidOperation, Overflow, Subnormal])


class Event(NamedTuple):
    """A validated event. Numbers are decimals, exactly as the client wrote them."""

    event_id: UUID
    project_id: int
    prompt_id: UUID
    version_hash: str
    latency_ms: Decimal | None = None
    cost_usd: Decimal | None = None
    score: Decimal | None = None


def new_event_id() -> UUID:
    """A UUIDv7: ids made one after another sort by time, so they land side by side in the index."""
    return uuid7()


def idempotent_event_id(secret: bytes, project_id: int, idempotency_key: str) -> UUID:
    """The same id for the same key in the same project, and not to be guessed without the secret.

    A UUIDv8 (RFC 9562, section 5.8: 122 bits of our own) over keyed BLAKE2b. `secret` is at most 64 bytes.
    """
    message = b"%d:%s" % (project_id, idempotency_key.encode())
    digest = hashlib.blake2b(message, digest_size=16, key=secret, person=b"pa-event-id").digest()
    value = int.from_bytes(digest)
    value = value & ~(0xF << 76) | 0x8 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def encode_event(event: Event) -> bytes:
    """The bytes that go into the buffer: a JSON array that starts with the version of the encoding.

    Numbers travel as text, so that no digit is lost between the client and PostgreSQL.
    """
    return orjson.dumps(
        [
            ENCODING_VERSION,
            event.event_id.hex,
            event.project_id,
            event.prompt_id.hex,
            event.version_hash,
            _text(event.latency_ms),
            _text(event.cost_usd),
            _text(event.score),
        ]
    )


def decode_event(payload: bytes) -> Event:
    """The event in a buffer entry. Raises UndecodableEntry, which says what is wrong but never a value."""
    try:
        version, event_id, project_id, prompt_id, version_hash, latency_ms, cost_usd, score = orjson.loads(payload)
        if version != ENCODING_VERSION:
            raise UndecodableEntry("unknown encoding version")
        if not isinstance(project_id, int) or not isinstance(version_hash, str):
            raise UndecodableEntry("a field has the wrong type")
        return Event(
            event_id=UUID(hex=event_id),
            project_id=project_id,
            prompt_id=_prompt_id(prompt_id),
            version_hash=version_hash,
            latency_ms=_number(latency_ms),
            cost_usd=_number(cost_usd),
            score=_number(score),
        )
    except (ValueError, TypeError, AttributeError, DecimalException) as error:
        raise UndecodableEntry(f"not an encoded event: {type(error).__name__}") from error


def fingerprint(event: Event) -> bytes:
    """16 bytes that are equal for events with equal content, whatever their event ids."""
    content = encode_event(event)[len(b'[1,"') + 32 :]
    return hashlib.blake2b(content, digest_size=16).digest()


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _number(text: str | None) -> Decimal | None:
    if text is None:
        return None
    number = _STORABLE.create_decimal(text)
    if not number.is_finite():
        raise UndecodableEntry("a number is not finite")
    return number


@lru_cache(maxsize=10_000)
def _prompt_id(text: str) -> UUID:
    """The few prompts of a batch come again and again, and a UUID takes long to make."""
    return UUID(hex=text)
