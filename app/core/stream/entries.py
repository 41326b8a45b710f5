"""Entries of the stream, as append.lua writes them and as the drain reads them."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from app.core.stream.events import LAST_STORABLE_MS
from app.core.stream.streams import id_in

EVENT_FIELD = b"e"
FIRST_RECEIVED_FIELD = b"t"
FIRST_ID_FIELD = b"i"
LABEL_FIELD = b"n"

_LONGEST_TIME = len(str(LAST_STORABLE_MS))
_ENTRY_ID = re.compile(rb"[0-9]{1,20}-[0-9]{1,20}(?:@[0-9]{1,2})?")


class Entry(NamedTuple):
    """One buffered entry. `received_at_ms`: when Redis first took it, milliseconds since the epoch by its clock.

    `entry_id` tells its stream too (streams.py). `label`: what numbering.py knows it by; None for one that has no
    number. `first_id`: of the replay of a dead letter,
    the id that the entry had when it first came.
    """

    entry_id: str
    payload: bytes
    received_at_ms: int
    label: bytes | None = None
    first_id: str | None = None


def entries_of(raw: Sequence[tuple[bytes | None, dict[bytes, bytes] | None]], stream: int = 0) -> list[Entry]:
    """From what XRANGE and its kin answer; Redis 6.2 says (None, None) of one that was deleted while it was pending."""
    return [
        Entry(
            id_in(stream, entry_id.decode()),
            fields.get(EVENT_FIELD, b""),
            _received_at_ms(entry_id, fields.get(FIRST_RECEIVED_FIELD)),
            fields.get(LABEL_FIELD),
            _first_id(fields.get(FIRST_ID_FIELD)),
        )
        for entry_id, fields in raw
        if entry_id is not None and fields is not None
    ]


def _received_at_ms(entry_id: bytes, first_received: bytes | None) -> int:
    """What the entry says itself, where that is a time; else the time in its id. Whoever wrote the entry."""
    if first_received is not None and first_received.isdigit() and len(first_received) <= _LONGEST_TIME:
        return int(first_received)
    return milliseconds_of(entry_id)


def _first_id(written: bytes | None) -> str | None:
    """What the entry says itself, where that is an id. Whoever wrote the entry."""
    return written.decode() if written is not None and _ENTRY_ID.fullmatch(written) else None


def milliseconds_of(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])
