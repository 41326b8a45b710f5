"""A line of the log of refusals: in the service's own words alone, of bounded length, and as it stands in Redis."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from app.core.contract import FIELD_NAMES

MAX_FAULTS = 20
UNKNOWN_FIELD = "(unknown field)"


class Fault(NamedTuple):
    """What is wrong with a request: the field, without its place in a batch, and in words of ours what it should be."""

    field: str
    message: str


class Faults(NamedTuple):
    """The first MAX_FAULTS of a request, and how many more it had."""

    kept: tuple[Fault, ...]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalEntry:
    """A line of a project's log. `left_out`: how many like it the same process refused before it and did not keep.

    `more_faults`: how many it had beside those that are named.
    """

    at: datetime
    key_id: int
    call: str
    status: int
    code: str
    request_id: str
    faults: tuple[Fault, ...]
    more_faults: int
    left_out: int


def faults_of(details: Sequence[Mapping[str, object]]) -> Faults:
    """Each once, however many events of a batch have it.

    A query parameter may be named as the client likes, also after a secret: what is no name of the API stays out.
    """
    found = dict.fromkeys(Fault(_known(str(each["field"])), str(each["message"])) for each in details)
    kept = tuple(found)[:MAX_FAULTS]
    return Faults(kept, len(found) - len(kept))


def _known(field: str) -> str:
    """events[17].score is events[].score."""
    before, bracket, after = field.partition("[")
    placeless = f"{before}[]{after.partition(']')[2]}" if bracket else field
    return placeless if placeless in FIELD_NAMES else UNKNOWN_FIELD


def encode(entry: RefusalEntry) -> bytes:
    faults = [list(fault) for fault in entry.faults]
    return orjson.dumps({**asdict(entry), "at": entry.at.timestamp(), "faults": faults})


def decode(entry: bytes) -> RefusalEntry | None:
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
            more_faults=fields["more_faults"],
            left_out=fields["left_out"],
        )
    except (ValueError, KeyError, TypeError):
        return None
