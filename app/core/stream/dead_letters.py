"""What people do with dead letters: put them back into the buffer, or give them up."""

from collections.abc import Callable, Iterable

from app.core.database import MAX_INTEGER, Connection
from app.core.errors import UndecodableEntry
from app.core.queries.dead_letters import DeletedLetter, delete_dead_letter
from app.core.stream.buffer import EventBuffer
from app.core.stream.events import decode_event

Disposal = Callable[[DeletedLetter], None]
"""What becomes of the entry of a dead letter."""


def _unnoticed(_entry_id: str, _letter: DeletedLetter) -> None:
    pass


def put_back(buffer: EventBuffer, note: Callable[[str, DeletedLetter], None] = _unnoticed) -> Disposal:
    """Append the entry to the buffer again; one that fails again comes back as a dead letter.

    `note` is told the id of the new entry.

    As one, even if the entry that it was is still in the buffer too, because its worker died before it acknowledged it.
    """

    def append(letter: DeletedLetter) -> None:
        entry_id = buffer.append_again(
            letter.payload,
            round(letter.received_at.timestamp() * 1_000),
            first_id=letter.entry_id,
            project_id=project_of(letter.payload),
        )
        note(entry_id, letter)

    return append


def give_up(_letter: DeletedLetter) -> None:
    """Keep nothing."""


def take_out(
    connection: Connection, dead_letter_ids: Iterable[int], disposal: Disposal, *, project_id: int | None = None
) -> list[int]:
    """Delete each and do with it what `disposal` says, which undoes the deletion where it raises.

    With a project only that one's; returns the ids that were there. Where the commit
    fails after `disposal`, the dead letter is still there; its event is found stored, or comes back as this letter.
    """
    taken = []
    for dead_letter_id in dead_letter_ids:
        with connection.transaction():
            deleted = delete_dead_letter(connection, dead_letter_id, project_id=project_id)
            if deleted is not None:
                disposal(deleted)
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
