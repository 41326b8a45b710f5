"""Events of a project, stored as the worker stores them, for tests that look at pages."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from app.core.database import connect
from app.core.stream.events import Event, new_event_id
from tests.usage_recount import store_in_batches
from worker.store import ReceivedEvent

PROMPT = UUID("123e4567-e89b-12d3-a456-426614174000")


def an_event(
    project_id: int,
    age: timedelta = timedelta(0),
    *,
    prompt: UUID = PROMPT,
    version: str = "v1",
    latency_ms: str | None = None,
    cost_usd: str | None = None,
    score: str | None = None,
) -> ReceivedEvent:
    """An event that happened so long ago."""
    latency, cost, rating = (None if number is None else Decimal(number) for number in (latency_ms, cost_usd, score))
    event = Event(new_event_id(), project_id, prompt, version, latency, cost, rating)
    return ReceivedEvent(event, int((datetime.now(UTC) - age).timestamp() * 1_000))


def store_events(database_url: str, events: Sequence[ReceivedEvent]) -> None:
    """Store the events, with their rollups."""
    with connect(database_url, application_name="test", statement_timeout_ms=20_000) as connection:
        store_in_batches(connection, events, batch_size=1_000)
