"""What people do with dead letters: put them back into the buffer, or give them up."""

from collections.abc import Callable, Iterable

from app.core.database import MAX_INTEGER, Connection
from app.core.errors import UndecodableEntry
from app.core.queries.dead_letters import delete_dead_letter
from app.core.stream.buffer import EventBuffer
from app.core.stream.events import decode_event

Disposal = Callable[[bytes, int], None]
"""What becomes of the bytes of a dead letter and its first arrival, in milliseconds since the epoch."""


def put_back(buffer: EventBuffer) -> Disposal:
    """Append the entry to the buffer again; one that fails again comes back as a new dead letter."""
    return lambda payload, received_at_ms: buffer.append_again(payload, received_at_ms, project_id=project_of(payload))


def give_up(_payload: bytes, _received_at_ms: int) -> None:
    """Keep nothing."""


def take_out(
    connection: Connection, dead_letter_ids: Iterable[int], disposal: Disposal, *, project_id: int | None = None
) -> list[int]:
    """Delete each and do with it what `disposal` says, which undoes the deletion where it raises.

    With a project only that one's; returns the ids that were there. Where the commit
    fails after `disposal`, the dead letter is still there; replayed again, its event is found stored.
    """
    taken = []
    for dead_letter_id in dead_letter_ids:
        with connection.transaction():
            deleted = delete_dead_letter(connection, dead_letter_id, project_id=project_id)
            if deleted is not None:
                disposal(deleted.payload, round(deleted.received_at.timestamp() * 1_000))
                taken.append(dead_letter_id)
    return taken


def project_of(payload: bytes) -> int | None:
    """The project of an entry that was set aside; None where its bytes do not tell."""
    try:
        project_id = decode_event(payload).project_id
    except UndecodableEntry:
        return None
    # whatever wrote the entry: what PostgreSQL does not take here would keep the dead letter from being stored
    return project_id if type(project_id) is int and 0 < project_id <= MAX_INTEGER else None
