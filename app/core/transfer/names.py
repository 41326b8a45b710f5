"""The readable names of prompts and versions that come with imported events."""

from collections.abc import Iterable
from uuid import UUID

from app.core.database import Connection
from app.core.queries.names import update_prompt_name, update_version_name
from app.core.transfer.rows import ImportedEvent


class Names:
    """Those of the latest events; people give few, so they are held in memory."""

    def __init__(self) -> None:
        self._of_prompts: dict[UUID, str] = {}
        self._of_versions: dict[tuple[UUID, str], str] = {}

    def note(self, events: Iterable[ImportedEvent]) -> None:
        """Days must come in their order."""
        for event in events:
            if event.prompt_name is not None:
                self._of_prompts[event.prompt_id] = event.prompt_name
            if event.version_name is not None:
                self._of_versions[event.prompt_id, event.version_hash] = event.version_name

    def give(self, connection: Connection, project_id: int) -> None:
        """To what has no name here."""
        for prompt_id, name in self._of_prompts.items():
            update_prompt_name(connection, project_id, prompt_id, name, only_unset=True)
        for (prompt_id, version_hash), name in self._of_versions.items():
            update_version_name(connection, project_id, prompt_id, version_hash, name, only_unset=True)
