"""What comes along with events into another installation: names, versions, and their project's number."""

from decimal import Decimal
from pathlib import Path
from uuid import UUID

from app.core.stream.events import Event, idempotency_mark, idempotent_event_id
from tests.commands import select
from tests.databases import kept_connection
from tests.drains import open_connection
from tests.transfers import noon, store_project, store_received
from worker.store import EventStore, ReceivedEvent


def test_versions_are_registered_when_their_events_arrived(exported: Path, import_into, other_url: str):
    """As of today they would keep others from being registered."""
    import_into()
    oldest = noon(3).date()
    registered = (
        "SELECT DISTINCT created_at::date FROM prompts UNION SELECT DISTINCT created_at::date FROM prompt_versions"
    )
    assert select(other_url, registered) == [(oldest,)]
    others = "SELECT DISTINCT version_hash FROM prompt_versions WHERE is_other"
    assert select(other_url, others) == [("(other)",)]


def test_names_are_given_only_to_what_has_none(exported: Path, import_into, other_url: str):
    import_into()
    with kept_connection(other_url) as connection:
        connection.execute(
            "UPDATE prompts SET name = NULL; UPDATE prompt_versions SET name = 'mine' WHERE name IS NOT NULL"
        )
    import_into()
    assert select(other_url, "SELECT DISTINCT name FROM prompts WHERE name <> ''") == [('Prüfung; "one"',)]
    assert select(other_url, "SELECT DISTINCT name FROM prompt_versions WHERE name <> ''") == [("mine",)]


def retried(project_id: int, secret: bytes = b"secret") -> ReceivedEvent:
    """The same request whenever it is made."""
    at_ms = int(noon(1).timestamp() * 1_000)
    event_id = idempotent_event_id(idempotency_mark(secret, project_id, "order-1"), at_ms)
    return ReceivedEvent(Event(event_id, project_id, UUID(int=7), "v1", None, Decimal("0.5"), None, at_ms), at_ms)


def test_a_project_keeps_its_number_so_that_a_clients_retry_is_recognised(here_and_there, export, import_into):
    here, there = here_and_there
    store_project(here, "first", ())
    project_id = store_project(here, "demo", ())
    store_received(here, [retried(project_id)])
    export()
    imported = import_into()
    assert "not recognised" not in imported.stderr
    assert select(there, "SELECT id, name FROM projects") == [(project_id, "demo")]
    with open_connection(there) as connection:
        assert EventStore().store(connection, [retried(project_id)]).new == 0
        connection.execute("INSERT INTO projects (name) VALUES ('next')")
    assert select(there, "SELECT id FROM projects WHERE name = 'next'") == [(project_id + 1,)]


def test_it_says_when_retries_are_not_recognised(here_and_there, export, import_into):
    here, there = here_and_there
    store_project(here, "demo", (1,))
    export()
    store_project(there, "somebody else's", ())
    imported = import_into(secret_key="t" * 32)
    assert "not recognised: SECRET_KEY is another one, and the project has number 2 here and had 1" in imported.stderr
    assert select(there, "SELECT id, name FROM projects ORDER BY id") == [(1, "somebody else's"), (2, "demo")]
