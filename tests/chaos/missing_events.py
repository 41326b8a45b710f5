"""Acknowledged events that are missing: by the ledger of a client, and by what the loss detector says."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from app.core.database import Connection
from app.core.queries.ledger_report import select_ledger
from app.core.stream.entries import EVENT_FIELD, LABEL_FIELD, entries_of
from app.core.stream.losses import look_for_losses
from chaos.check import number_of
from tests.waiting import wait_until

KEPT = """
SELECT cost_usd FROM events
UNION ALL
SELECT nullif(substring(convert_from(payload, 'LATIN1'), '^\\[[12](?:,[^,]*){4},[^,]*,"(\\d+)"'), '')::numeric
FROM dead_letters
"""
TOLD = """
SELECT series || ':' || generate_series(lower(run), upper(run) - 1)
FROM losses CROSS JOIN LATERAL unnest(numbers) AS run
WHERE project_id = %(project_id)s
"""
FLUSH_SECONDS = 60.0
"""Web writes down a second later what it acknowledged, and tries again every 5 s where PostgreSQL was away."""


def acknowledged(folder: Path) -> dict[int, bool]:
    """What a client was told is safe, by number; False where that was for a repeat alone, which has no label."""
    numbers: dict[int, bool] = {}
    for line in (folder / "client.ledger").read_text().splitlines():
        word, first, *count = line.split()
        if word in ("A", "D"):
            for number in range(int(first), int(first) + int(count[0])):
                numbers[number] = numbers.get(number, False) or word == "A"
    return numbers


def missing(connection: Connection, folder: Path) -> set[int]:
    """Acknowledged, neither stored nor set aside."""
    kept = {int(cost) for (cost,) in connection.execute(KEPT.encode()) if cost is not None}
    return acknowledged(folder).keys() - kept


def numbers_by_label(entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> dict[bytes, int]:
    """Of clients' events in the buffer, by what the detector knows them by."""
    found = {fields[LABEL_FIELD]: number_of(fields[EVENT_FIELD]) for _, fields in entries if LABEL_FIELD in fields}
    return {label: number for label, number in found.items() if number is not None}


def poison_not_set_aside(connection: Connection, entries: Any, poison: Collection[bytes]) -> int:
    """How many; some of what is buffered may be a dead letter already, where its worker died, or be there twice."""
    kept = {entry_id for (entry_id,) in connection.execute("SELECT entry_id FROM dead_letters")}
    return len({entry.first_id or entry.entry_id for entry in entries_of(entries) if entry.payload in poison} - kept)


def told_by_the_detector(connection: Connection, client: Any, project_id: int, accepted: int) -> list[bytes]:
    """The labels of the events of a project that it takes for lost, when all so many are written down.

    All others must have an outcome by then.
    """
    wait_until(lambda: _total(connection, project_id)["accepted"] == accepted, FLUSH_SECONDS)
    wait_until(lambda: look_for_losses(connection, client) is not None)
    total = _total(connection, project_id)
    assert (total["waiting"], total["untraced"]) == (0, 0), total
    return [label.encode() for (label,) in connection.execute(TOLD, {"project_id": project_id})]


def _total(connection: Connection, project_id: int) -> dict[str, int]:
    rows = select_ledger(connection, since=datetime.now(UTC) - timedelta(hours=3), project_id=project_id)
    return {name: sum(getattr(row, name) for row in rows) for name in ("accepted", "waiting", "untraced")}


def begin_project_ids_at(database_url: str, project_id: int) -> None:
    """So that a project has an id of its own in a web process that others use, too.

    What that acknowledged for others, and writes down only now, is another project's.
    """
    with psycopg.connect(database_url) as connection:
        connection.execute(f"ALTER TABLE projects ALTER COLUMN id RESTART WITH {project_id:d}".encode())
