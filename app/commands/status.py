"""`status`: whether events flow."""

import json

import click

from app.commands.servers import database_connection, describe, event_buffer, settings
from app.core.errors import PromptAnalyticsError
from app.core.queries.status import count_dead_letters
from config.settings import Settings

Facts = dict[str, int | float | None]


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
    }
    errors = []
    for look in (_buffer_facts, _database_facts):
        try:
            facts |= look(current)
        except PromptAnalyticsError as error:
            errors.append(describe(error))
    click.echo(json.dumps(facts) if as_json else _text(facts))
    if errors:
        raise click.ClickException("; ".join(errors))


def _buffer_facts(current: Settings) -> Facts:
    with event_buffer(current) as buffer:
        state = buffer.state()
    return {
        "buffer_depth": state.depth,
        "pending": state.pending,
        "oldest_event_age_seconds": state.oldest_age_seconds,
        "last_drain_age_seconds": state.last_drain_age_seconds,
    }


def _database_facts(current: Settings) -> Facts:
    with database_connection(current) as connection:
        return {"dead_letters": count_dead_letters(connection)}


def _text(facts: Facts) -> str:
    labels = {
        "buffer_depth": "Buffered events",
        "pending": "  of them in a worker's hands",
        "oldest_event_age_seconds": "Age of the oldest (s)",
        "last_drain_age_seconds": "Last drain (s ago)",
        "dead_letters": "Dead letters",
    }
    return "\n".join(f"{label:30}{'-' if facts[name] is None else facts[name]}" for name, label in labels.items())
