"""`keys`: create, list and revoke API keys."""

from datetime import UTC, datetime

import click

from app.commands.parameters import a_name, checked
from app.commands.servers import database_connection, describe, redis_connection, settings
from app.commands.tables import show_table, time_text
from app.core.database import MAX_INTEGER
from app.core.errors import NotFound, PromptAnalyticsError
from app.core.keys.lifecycle import SCOPES, KeyState, create_key, revoke_key, state_of
from app.core.queries.api_keys import ApiKeyDescription, select_api_keys
from app.core.queries.audit_log import COMMAND_LINE
from app.core.queries.projects import insert_project
from config.settings import check_rate_limit


@click.group()
def keys() -> None:
    """API keys."""


@keys.command()
@click.option(
    "--project",
    required=True,
    callback=a_name,
    help="The project's name; it is made where there is none.",
)
@click.option("--name", required=True, callback=a_name, help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=["ingest"],
    show_default=True,
    type=click.Choice(SCOPES),
    help="What the key may do; may be given twice.",
)
@click.option("--limit", callback=checked(check_rate_limit), help='The key\'s own rate limit, such as "600/minute".')
def create(project: str, name: str, scopes: tuple[str, ...], limit: str | None) -> None:
    """Make a key and print it, this once; only its hash is stored."""
    current = settings()
    with database_connection(current) as connection, redis_connection(current) as client:
        new = create_key(
            connection,
            client,
            project_id=insert_project(connection, project),
            name=name,
            scopes=scopes,
            rate_limit=limit,
            expires_at=None,
            by=COMMAND_LINE,
            now=datetime.now(UTC),
        )
    click.echo(new.key)


@keys.command(name="list")
def list_keys() -> None:
    """Show all keys, by their beginning."""
    with database_connection(settings()) as connection:
        found = select_api_keys(connection)
    now = datetime.now(UTC)
    headings = ("ID", "PROJECT", "NAME", "KEY", "SCOPES", "LIMIT", "CREATED", "STATE")
    show_table(headings, [_cells(key, now) for key in found])


@keys.command()
@click.argument("key_id", metavar="ID", type=click.IntRange(1, MAX_INTEGER))
def revoke(key_id: int) -> None:
    """Make a key invalid within a second, for good."""
    current = settings()
    try:
        with redis_connection(current) as client, database_connection(current) as connection:
            at_once = revoke_key(connection, client, key_id, COMMAND_LINE)
    except NotFound:
        raise
    except PromptAnalyticsError as error:
        raise click.ClickException(f"{describe(error)}; the key may still be valid: revoke it again") from error
    doubt = "" if at_once else "; Redis is full or down, so it may work for another minute"
    click.echo(f"key {key_id} is revoked{doubt}")


def _cells(key: ApiKeyDescription, now: datetime) -> tuple[str, ...]:
    state = state_of(key, now)
    since_or_until = {
        KeyState.REVOKED: key.revoked_at,
        KeyState.EXPIRED: key.expires_at,
        KeyState.EXPIRING: key.expires_at,
    }.get(state)
    told = state.value if since_or_until is None else f"{state.value} {time_text(since_or_until)}"
    limit = key.rate_limit or "default"
    described = (str(key.key_id), key.project, key.name, f"{key.prefix}…", ",".join(key.scopes), limit)
    return (*described, time_text(key.created_at), told)
