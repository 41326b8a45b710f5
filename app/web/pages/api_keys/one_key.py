"""Pages about one key of a project."""

from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Response

from app.core.database import MAX_INTEGER
from app.core.errors import NotFound
from app.core.keys.lifecycle import state_of
from app.core.queries.api_keys import ApiKeyDescription, select_api_key
from app.web.pages.layout.rendering import page
from app.web.request_context import visitor
from app.web.services import ask_database


def key_page(name: str, key: ApiKeyDescription, *, status: int = 200, **context: Any) -> Response:
    state = state_of(key, datetime.now(UTC))
    return page(f"api_keys/{name}.html", active="api-keys", status=status, key=key, state=state, **context)


def find_key(key_id: int) -> ApiKeyDescription:
    """Raises NotFound where the project has no such key."""
    found = ask_database(select_api_key, visitor().project_id, key_id) if key_id <= MAX_INTEGER else None
    if found is None:
        raise NotFound("there is no such key in this project")
    return found
