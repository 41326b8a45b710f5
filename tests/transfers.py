"""Projects that are exported and imported, and what is stored of them, row for row."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from app.core.database import connect
from app.core.stream.events import Event, new_event_id
from tests.databases import kept_connection
from tests.sign_in import create_project
from tests.usage_recount import store_in_batches
from worker.store import ReceivedEvent

ODD_TEXTS = [
    "v1",
    "ä\u2028ö",
    'say "no", or\nnot',
    "=SUM(A1)",
    "'+1",
    " space ",
    "\\N",
    "null",
    "\U0001f600",
    "(other)",
    ";",
]
ODD_NUMBERS = [
    *(None, "0", "0.00", "1.0", "100", "0.00042", "-1.50", "812.4", "1000000000000", "-999999999999.5"),
    *(f"0.{'0' * 30}1", f"0.{'1' * 18}", f"0.{'9' * 19}", f"123456789012.{'3' * 40}"),
]
ALL_EVENTS = """
SELECT events.event_id, events.day, events.occurred_at, events.received_at, prompts.prompt_id, prompts.name,
       prompts.is_other, version.version_hash, version.name, version.is_other,
       events.latency_ms::text, events.cost_usd::text, events.score::text
FROM events
JOIN prompt_versions AS version ON version.id = events.version_key
JOIN prompts ON prompts.id = version.prompt_key
JOIN projects ON projects.id = events.project_id
WHERE projects.name = %(project)s
ORDER BY events.day, events.event_id
"""
# Versions are told apart by their names: their numbers differ from one database to another.
ALL_ROLLUPS = """
SELECT prompts.prompt_id, version.version_hash, grain, bucket_start, events, latency_sum, latency_sum_squares, cost_sum,
       cost_max, score_sum, score_min
FROM rollups
JOIN projects ON projects.id = rollups.project_id
LEFT JOIN prompts ON prompts.id = rollups.prompt_key
LEFT JOIN prompt_versions AS version ON version.id = rollups.version_key
WHERE projects.name = %(project)s
ORDER BY 1 NULLS FIRST, 2 NULLS FIRST, 3, 4
"""
NAME_SOME = """
UPDATE prompts SET name = 'Prüfung; "one"' WHERE prompt_id = '00000000-0000-0000-0000-000000000001';
UPDATE prompt_versions SET name = '=first' WHERE version_hash IN ('v1', ' space ')
"""


def noon(days_ago: int) -> datetime:
    """Of a day in the past, or of today."""
    return datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)


def odd_events(project_id: int, days_ago: int, count: int) -> list[ReceivedEvent]:
    """Events of a day with all that is hard to write down, over some hours."""
    events = []
    for number in range(count):
        latency, cost, score = (_number(number, step) for step in (1, 2, 4))
        version = ODD_TEXTS[number % len(ODD_TEXTS)]
        event = Event(new_event_id(), project_id, UUID(int=number % 3), version, _positive(latency), cost, score)
        at = noon(days_ago) + timedelta(minutes=number % 97, milliseconds=number)
        events.append(ReceivedEvent(event, int(at.timestamp() * 1_000)))
    return events


def _number(number: int, step: int) -> Decimal | None:
    text = ODD_NUMBERS[(number * step) % len(ODD_NUMBERS)]
    return None if text is None else Decimal(text)


def _positive(number: Decimal | None) -> Decimal | None:
    return None if number is None else abs(number)


def store_project(database_url: str, project: str, days_ago: Sequence[int], *, events_a_day: int = 30) -> int:
    """A project with odd events on each of these days, and some names; its number."""
    project_id = create_project(database_url, project)
    events = [event for day in days_ago for event in odd_events(project_id, day, events_a_day)]
    store_received(database_url, events)
    with kept_connection(database_url) as connection:
        connection.execute(NAME_SOME)
    return project_id


def store_received(database_url: str, events: Sequence[ReceivedEvent]) -> None:
    with connect(database_url, application_name="test", statement_timeout_ms=20_000) as connection:
        store_in_batches(connection, events, batch_size=1_000)


def all_events(database_url: str, project: str) -> list[tuple[Any, ...]]:
    """Row for row, with every digit, and nothing that is of one database alone."""
    with kept_connection(database_url) as connection:
        return connection.execute(ALL_EVENTS, {"project": project}).fetchall()


def all_rollups(database_url: str, project: str) -> list[tuple[Any, ...]]:
    with kept_connection(database_url) as connection:
        return connection.execute(ALL_ROLLUPS, {"project": project}).fetchall()


def manifest_in(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return read


def write_manifest_in(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / "manifest.json").write_text(json.dumps(manifest))


def contents_of(folder: Path) -> dict[str, bytes]:
    """The files of the export, without the manifest."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("events-*"))}
