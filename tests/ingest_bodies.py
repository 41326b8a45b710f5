"""Bodies of events for tests of how they are read."""

from collections.abc import Callable

from app.core.stream.events import Event

PATH = "/api/v1/prompts/analytics"


EVENT = b'{"prompt_id":"123e4567-e89b-12d3-a456-426614174000","version_hash":"v"}'


Buffered = Callable[[], list[Event]]
