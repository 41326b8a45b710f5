"""`keys`: create, list and revoke API keys."""

from datetime import UTC, datetime

import click
import redis

from app.commands.servers import database_connection, describe, settings
from app.commands.tables import show_table, time_text
from app.core import redis_client
from app.core.errors import BufferFull, NotFound, PromptAnalyticsError
from app.core.key_directory import publish_in_redis, revoke_in_redis
from app.core.keys import display_prefix, hash_key, mint_key
from app.core.queries.api_keys import (
    ApiKeyDescription,
    insert_api_key,
    select_api_keys,
    select_key_hash,
    update_revoked_at,
)
from app.core.queries.projects import insert_project
from config.settings import Settings, check_rate_limit

REDIS_TIMEOUT_SECONDS = 5.0
MAX_NAME_LENGTH = 200


def _name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    name = value.strip()
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise click.BadParameter(f"must have 1 to {MAX_NAME_LENGTH} printable characters")
    return name


def _rate_limit(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else check_rate_limit(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.group()
def keys() -> None:
    """API keys."""


@keys.command()
@click.option("--project", required=True, callback=_name, help="The project's name; it is made where there is none.")
@click.option("--name", required=True, callback=_name, help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=["ingest"],
    show_default=True,
    type=click.Choice(["ingest", "read"]),
    help="What the key may do; may be given twice.",
)
@click.option("--limit", callback=_rate_limit, help='The key\'s own rate limit, such as "600/minute".')
def create(project: str, name: str, scopes: tuple[str, ...], limit: str | None) -> None:
    """Make a key and print it, this once; only its hash is stored."""
    key = mint_key()
    current = settings()
    with database_connection(current) as connection:
        with connection.transaction():
            insert_api_key(
                connection,
                insert_project(connection, project),
                name,
                key_hash=hash_key(key),
                prefix=display_prefix(key),
                scopes=sorted(set(scopes)),
                rate_limit=limit,
            )
        # An address with too many failures is looked up in Redis only, and a new key must work from there too.
        with redis_client.connect(current.redis_url, max_connections=1) as client:
            publish_in_redis(client, connection, hash_key(key), datetime.now(UTC))
    click.echo(key)


@keys.command(name="list")
def list_keys() -> None:
    """Show all keys, by their beginning."""
    with database_connection(settings()) as connection:
        found = select_api_keys(connection)
    now = datetime.now(UTC)
    headings = ("ID", "PROJECT", "NAME", "KEY", "SCOPES", "LIMIT", "CREATED", "STATE")
    show_table(headings, [_cells(key, now) for key in found])


@keys.command()
@click.argument("key_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))
def revoke(key_id: int) -> None:
    """Make a key invalid within a second, for good."""
    current = settings()
    client = redis_client.connect(current.redis_url, timeout_seconds=REDIS_TIMEOUT_SECONDS, max_connections=1)
    try:
        at_once = _revoke(current, client, key_id)
    except NotFound:
        raise
    except PromptAnalyticsError as error:
        raise click.ClickException(f"{describe(error)}; the key may still be valid: revoke it again") from error
    finally:
        client.close()
    click.echo(f"key {key_id} is revoked" + ("" if at_once else "; Redis is full, so it may work for another minute"))


def _revoke(current: Settings, client: redis.Redis, key_id: int) -> bool:
    """Whether the revocation is in Redis too, which a full Redis refuses.

    In Redis before PostgreSQL, so that it holds from the start; and again after it, so that a process that asked
    PostgreSQL in between leaves nothing behind.
    """
    with database_connection(current) as connection:
        key_hash = select_key_hash(connection, key_id)
        if key_hash is None:
            raise NotFound(f"there is no key with the id {key_id}")
        _mark_revoked(client, key_hash)
        update_revoked_at(connection, key_id)
    return _mark_revoked(client, key_hash)


def _mark_revoked(client: redis.Redis, key_hash: bytes) -> bool:
    try:
        revoke_in_redis(client, key_hash)
    except BufferFull:
        return False
    return True


def _cells(key: ApiKeyDescription, now: datetime) -> tuple[str, ...]:
    state = "active"
    if key.revoked_at is not None:
        state = f"revoked {time_text(key.revoked_at)}"
    elif key.expires_at is not None and key.expires_at <= now:
        state = f"expired {time_text(key.expires_at)}"
    limit = key.rate_limit or "default"
    described = (str(key.key_id), key.project, key.name, f"{key.prefix}…", ",".join(key.scopes), limit)
    return (*described, time_text(key.created_at), state)
