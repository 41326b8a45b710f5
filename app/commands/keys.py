"""`keys`: create, list, change and revoke API keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import click

from app.commands.parameters import a_name, checked
from app.commands.servers import database_connection, describe, redis_connection, settings
from app.commands.tables import show_table, time_text
from app.core.database import MAX_INTEGER, Connection
from app.core.errors import NotFound, PromptAnalyticsError
from app.core.keys.change import NotChangeable, change_key
from app.core.keys.lifecycle import LAST_DAY, SCOPES, KeyState, create_key, end_of_day, revoke_key, state_of
from app.core.queries.api_keys import ApiKeyDescription, select_api_key, select_api_keys, select_key_hash
from app.core.queries.audit_log import COMMAND_LINE
from app.core.queries.projects import insert_project
from config.settings import check_rate_limit

DEFAULT, NEVER = "default", "never"


def _limit(text: str) -> str:
    return text if text == DEFAULT else check_rate_limit(text)


def _end(text: str) -> str:
    if text == NEVER:
        return text
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"must be a day such as 2027-01-31, or {NEVER}") from None
    if not datetime.now(UTC).date() <= day <= LAST_DAY:
        raise ValueError("is over" if day <= LAST_DAY else "is too late")
    return day.isoformat()


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


_key_id = click.argument("key_id", metavar="ID", type=click.IntRange(1, MAX_INTEGER))


@keys.command()
@_key_id
@click.option("--name", callback=a_name, help="What the key is for.")
@click.option("--limit", callback=checked(_limit), help=f'Its own rate limit, such as "600/minute", or {DEFAULT}.')
@click.option("--end", callback=checked(_end), help=f"The last day, in UTC, on which it works, or {NEVER}.")
def change(key_id: int, name: str | None, limit: str | None, end: str | None) -> None:
    """Change name, limit or end of a key that is in use, within a second; what is not given stays."""
    if (name, limit, end) == (None, None, None):
        raise click.UsageError("Give what is to change: --name, --limit or --end.")
    current, now = settings(), datetime.now(UTC)
    in_doubt = _in_doubt("the key may be changed or not: change it again")
    with in_doubt, redis_connection(current) as client, database_connection(current) as connection:
        project_id, old = _described(connection, key_id)
        at_once = change_key(
            connection,
            client,
            key_id,
            project_id=project_id,
            name=name or old.name,
            rate_limit=old.rate_limit if limit is None else None if limit == DEFAULT else limit,
            expires_at=old.expires_at if end is None else _end_of(end),
            by=COMMAND_LINE,
            now=now,
        )
    doubt = "" if at_once else "; Redis is full or down, so it may take another minute to hold"
    click.echo(f"key {key_id} is changed{doubt}")


@keys.command()
@_key_id
def revoke(key_id: int) -> None:
    """Make a key invalid within a second, for good."""
    current = settings()
    in_doubt = _in_doubt("the key may still be valid: revoke it again")
    with in_doubt, redis_connection(current) as client, database_connection(current) as connection:
        at_once = revoke_key(connection, client, key_id, COMMAND_LINE)
    doubt = "" if at_once else "; Redis is full or down, so it may work for another minute"
    click.echo(f"key {key_id} is revoked{doubt}")


@contextmanager
def _in_doubt(words: str) -> Iterator[None]:
    """Says so where an error leaves open what was done."""
    try:
        yield
    except (NotFound, NotChangeable):
        raise
    except PromptAnalyticsError as error:
        raise click.ClickException(f"{describe(error)}; {words}") from error


def _described(connection: Connection, key_id: int) -> tuple[int, ApiKeyDescription]:
    """The id of its project, and what it is now. Raises NotFound."""
    found = select_key_hash(connection, key_id)
    if found is not None:
        described = select_api_key(connection, found.project_id, key_id)
        if described is not None:
            return found.project_id, described
    raise NotFound(f"there is no key with the id {key_id}")


def _end_of(end: str) -> datetime | None:
    return None if end == NEVER else end_of_day(date.fromisoformat(end))


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
