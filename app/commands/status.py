"""`status`: whether events flow."""

import json

import click

from app.commands.servers import (
    STATEMENT_TIMEOUT_MS,
    database_connection,
    describe,
    redis_connection,
    settings,
)
from app.commands.tables import time_text
from app.core.database import connected
from app.core.errors import DatabaseUnavailable, PromptAnalyticsError
from app.core.operations.readiness import OLDEST_EVENT_SECONDS
from app.core.operations.redis_settings import acknowledgement_meaning, names_in, settings_in
from app.core.operations.replica import AWAY, standing_of
from app.core.queries.losses import select_loss
from app.core.queries.replica import select_position, select_replayed
from app.core.queries.status import count_dead_letters
from app.core.queries.untraced import select_untraced
from app.core.runbook import document, runbook_entry
from app.core.stream.buffer import EventBuffer
from config.settings import Settings

Fact = int | float | str | list[str] | None
Facts = dict[str, Fact]

ENTRIES = {
    "oldest_event_age_seconds": "buffer_growing",
    "dead_letters": "dead_letters",
    "lost_events": "losses",
    "untraced_events": "untraced",
    "a_204_means": "redis_settings",
    "redis_settings_wrong": "redis_settings",
}
"""Facts that may need somebody, each with its entry of the runbook."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def status(*, as_json: bool) -> None:
    """Show the buffer, the last drain and the dead letters.

    Exits with 1 where a server does not answer; what the other one knows is shown all the same.
    """
    current = settings()
    facts: Facts = {
        "buffer_depth": None,
        "pending": None,
        "oldest_event_age_seconds": None,
        "last_drain_age_seconds": None,
        "dead_letters": None,
        "lost_events": None,
        "lost_since": None,
        "untraced_events": None,
        "untraced_since": None,
        "a_204_means": None,
        "replica": None,
        "replica_lag_seconds": None,
        "redis_settings_right": None,
        "redis_settings_wrong": None,
        "redis_settings_unseen": None,
    }
    errors = []
    for look in (_buffer_facts, _database_facts, _replica_facts):
        try:
            facts |= look(current)
        except PromptAnalyticsError as error:
            errors.append(describe(error, current.public_url))
    click.echo(json.dumps(facts) if as_json else _text(facts, current.public_url))
    if errors:
        raise click.ClickException("; ".join(errors))


def _buffer_facts(current: Settings) -> Facts:
    with redis_connection(current) as client:
        state = EventBuffer(client).state()
        redis_settings = settings_in(client)
    return {
        "a_204_means": acknowledgement_meaning(redis_settings),
        "redis_settings_right": names_in(redis_settings, "right"),
        "redis_settings_wrong": names_in(redis_settings, "wrong"),
        "redis_settings_unseen": names_in(redis_settings, "unseen"),
        "buffer_depth": state.depth,
        "pending": state.pending,
        "oldest_event_age_seconds": state.oldest_age_seconds,
        "last_drain_age_seconds": state.last_drain_age_seconds,
    }


def _database_facts(current: Settings) -> Facts:
    with database_connection(current) as connection:
        loss, untraced = select_loss(connection), select_untraced(connection)
        return {
            "dead_letters": count_dead_letters(connection),
            "lost_events": loss.events,
            "lost_since": None if loss.first_at is None else time_text(loss.first_at),
            "untraced_events": untraced.events,
            "untraced_since": None if untraced.since is None else time_text(untraced.since),
        }


def _replica_facts(current: Settings) -> Facts:
    """Nothing where there is none. One that is away is no error: the service reads from the primary then."""
    if current.database_read_url is None:
        return {}
    with database_connection(current) as connection:
        found = select_position(connection)
    try:
        with connected(
            current.database_read_url, application_name="pa-command", statement_timeout_ms=STATEMENT_TIMEOUT_MS
        ) as connection:
            replayed = select_replayed(connection, found.position)
    except DatabaseUnavailable:
        return {"replica": AWAY.state}
    standing = standing_of(found, replayed, known_as_of=None, now=found.at)
    return {"replica": standing.state, "replica_lag_seconds": standing.lag_seconds}


def _text(facts: Facts, public_url: str | None) -> str:
    """One line for each fact; one that needs somebody names its entry of the runbook."""
    labels = {
        "buffer_depth": "Buffered events",
        "pending": "  of them in a worker's hands",
        "oldest_event_age_seconds": "Age of the oldest (s)",
        "last_drain_age_seconds": "Last drain (s ago)",
        "dead_letters": "Dead letters",
        "lost_events": "Acknowledged and missing",
        "lost_since": "  since",
        "untraced_events": "Untraced",
        "untraced_since": "  since",
        "a_204_means": "A 204 means",
        "replica": "Replica",
        "replica_lag_seconds": "  behind by (s)",
        "redis_settings_right": "Redis settings that are right",
        "redis_settings_wrong": "  wrong",
        "redis_settings_unseen": "  cannot be seen here",
    }
    see = {
        name: f" (see {runbook_entry(entry, public_url)})"
        for name, entry in ENTRIES.items()
        if _needs_somebody(name, facts[name])
    }
    if facts["redis_settings_unseen"]:
        see["redis_settings_unseen"] = f" (see {document('managed-redis', public_url)})"
    return "\n".join(f"{label:30}{_shown(facts[name])}{see.get(name, '')}" for name, label in labels.items())


def _shown(fact: Fact) -> str:
    if isinstance(fact, list):
        return ", ".join(fact) or "-"
    return "-" if fact is None else str(fact)


def _needs_somebody(name: str, fact: Fact) -> bool:
    """Of a fact that has an entry; one that is not known needs nobody."""
    if isinstance(fact, str):
        return fact.startswith("in memory")
    if isinstance(fact, list):
        return bool(fact)
    return fact is not None and fact > (OLDEST_EVENT_SECONDS if name == "oldest_event_age_seconds" else 0)
