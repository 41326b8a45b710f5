"""Whether an event whose id is stored is the same as the one that came before."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.core.database import Connection
from app.core.queries.dimensions import Version, select_versions
from app.core.queries.overflows import select_others
from app.core.rollups.event_row import Content, EventRow


class Repeat(NamedTuple):
    """An event that came again, where it stands in its batch, and what is stored under its id."""

    position: int
    version: Version
    row: EventRow
    stored: Content | None


def find_conflicts(connection: Connection, repeats: Iterable[Repeat]) -> list[int]:
    """The positions of those that are stored with other content.

    An Idempotency-Key that is used again after its mark in Redis has gone, for another event within the hour.
    """
    differing = [repeat for repeat in repeats if repeat.stored != repeat.row.content]
    same = _under_another_key(connection, differing) if differing else set()
    return [repeat.position for repeat in differing if repeat.position not in same]


def _under_another_key(connection: Connection, differing: Sequence[Repeat]) -> set[int]:
    """Those that differ in the key of their version alone, because one of the two was too new to be registered.

    What came under "(other)" then may be registered now, and the other way round where another worker registered it a
    moment ago. Which version an event under "(other)" was of is not known any more: any of that prompt may be it.
    """
    found = select_versions(connection, [repeat.version for repeat in differing]).versions
    others = select_others(connection, {repeat.stored[0] for repeat in differing if repeat.stored})
    same = set()
    for position, version, row, stored in differing:
        if stored is None or stored[1:] != row.content[1:]:
            continue
        registered = found.get(version)
        if (registered and registered.version_key == stored[0]) or others.get(stored[0], -1) in (None, row.prompt_key):
            same.add(position)
    return same
