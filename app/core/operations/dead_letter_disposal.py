"""Dead letters taken out by people, with what the audit log says of it."""

from collections.abc import Iterable

from app.core.database import Connection
from app.core.queries.audit_log import Action, Actor, add_item, insert_audit_entry
from app.core.queries.dead_letters import DeletedLetter
from app.core.stream.dead_letters import Disposal, project_of, take_out


def dispose(
    connection: Connection,
    dead_letter_ids: Iterable[int],
    disposal: Disposal,
    action: Action,
    by: Actor,
    *,
    subject: str,
    project_id: int | None = None,
) -> list[int]:
    """As `take_out`; each deletion is in the audit log in its own transaction, one entry for each project."""
    entries: dict[int | None, int] = {}

    def note(letter: DeletedLetter) -> None:
        disposal(letter)
        project = project_of(letter.payload) if project_id is None else project_id
        # an entry may be gone again: with the transaction that made it, whose commit failed
        if project not in entries or not add_item(connection, entries[project]):
            entries[project] = insert_audit_entry(connection, action, by, subject=subject, project_id=project)

    return take_out(connection, dead_letter_ids, note, project_id=project_id)
