"""What commands work with: the settings, the servers, and errors as one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import click
import redis

from app.core import redis_client
from app.core.database import Connection, connected
from app.core.errors import (
    DatabaseUnavailable,
    NotFound,
    PartitionBlocked,
    PoolerInTheWay,
    PromptAnalyticsError,
    RedisUnavailable,
    Rejected,
    Unavailable,
)
from app.core.migrations import SCHEMA_REVISION, current_revision
from app.core.queries.ledger import insert_acknowledgements
from app.core.queries.projects import select_project_id
from app.core.redis_cluster import open_redis
from app.core.runbook import entry_for
from app.core.stream.buffer import EventBuffer
from app.core.stream.numbering import Numbering
from app.local import running_environment
from config.logging import redact
from config.settings import Settings, SettingsError, load_settings

REDIS_TIMEOUT_SECONDS = 5.0
LATER = 86_400.0
STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 5_000


class CommandGroup(click.Group):
    """Ends every command whose error is a known one with a line on stderr and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; click shows a ClickException as `Error: …`."""
        try:
            return super().invoke(ctx)
        except (PromptAnalyticsError, SettingsError) as error:
            raise click.ClickException(describe(error)) from error


def describe(error: Exception, public_url: str | None = None) -> str:
    """An error for a person, without credentials; where a server is at fault, with the entry of the runbook.

    The cause of a server's silence says more than the error itself.
    """
    text = _words(error)
    return f"{text} (see {entry_for(error, public_url)})" if isinstance(error, Unavailable) else text


def _words(error: Exception) -> str:
    if isinstance(error, (PartitionBlocked, PoolerInTheWay)):
        return redact(str(error))
    if isinstance(error, DatabaseUnavailable):
        cause = str(error.__cause__ or error).strip() or str(error)
        return f"PostgreSQL does not answer as it should: {redact(cause.splitlines()[0])}"
    if isinstance(error, RedisUnavailable):
        return f"Redis does not answer as it should: {redact(str(error))}"
    if isinstance(error, SettingsError):
        # names no value, but names that redact would take for the beginning of one
        return str(error)
    return redact(str(error)) or type(error).__name__


def settings() -> Settings:
    """The settings of the environment, or of a `make run` beside this one. Raises SettingsError."""
    local = running_environment()
    try:
        return load_settings(local=local)
    except SettingsError as error:
        if local is None and "DATABASE_URL: Environment variable not set" in str(error):
            raise SettingsError(f"{error}\nOr start `make run` here, whose servers this command then uses.") from None
        raise


@contextmanager
def database_connection(
    current: Settings, *, statement_timeout_ms: int = STATEMENT_TIMEOUT_MS, lock_timeout_ms: int = LOCK_TIMEOUT_MS
) -> Iterator[Connection]:
    """A connection in autocommit mode to a migrated database."""
    with connected(
        current.database_direct_url,
        application_name="pa-command",
        statement_timeout_ms=statement_timeout_ms,
        lock_timeout_ms=lock_timeout_ms,
    ) as connection:
        revision = current_revision(connection)
        if revision != SCHEMA_REVISION:
            found = f"is at revision {revision}" if revision else "has no tables yet"
            raise Rejected(
                f"the database {found}, this release works with {SCHEMA_REVISION}: run `python -m app migrate`"
            )
        yield connection


@contextmanager
def redis_connection(current: Settings) -> Iterator[redis.Redis]:
    """A client with one connection to each node, more patient than that of a request."""
    open_node = partial(
        redis_client.connect,
        timeout_seconds=REDIS_TIMEOUT_SECONDS,
        max_connections=1,
        tls_verify=current.redis_tls_verify,
    )
    client = open_redis(current.redis_url, open_node, cluster=current.redis_cluster)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def event_buffer(current: Settings, connection: Connection) -> Iterator[EventBuffer]:
    """A buffer whose events are numbered; the ledger, behind `connection`, knows of them when the block ends."""
    numbering = Numbering(lambda acknowledged: insert_acknowledgements(connection, acknowledged), delay_seconds=LATER)
    with redis_connection(current) as client:
        try:
            yield EventBuffer(client, streams=current.buffer_streams, numbering=numbering)
        finally:
            numbering.flush()


def project_id_of(connection: Connection, name: str) -> int:
    """The id of a project. Raises NotFound."""
    found = select_project_id(connection, name)
    if found is None:
        raise NotFound(f"there is no project with the name {name}")
    return found
