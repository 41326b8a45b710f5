"""The schema's revisions and the run that brings a database up to the newest.

Importing this costs nothing: Alembic and SQLAlchemy come in only where `migrate` is called, never in web or worker.
"""

from app.core.database import Connection
from app.core.queries.rows import one_value

SCHEMA_REVISION = "0012"
"""The revision that this code works with: the newest in `versions`."""


def migrate(database_url: str, *, lock_timeout_ms: int = 5_000, attempts: int = 5) -> str | None:
    """Bring the schema to SCHEMA_REVISION and make the partitions of the next days; returns the revision found.

    One runner works at a time, the others wait and then find nothing to do. A migration that waits longer than
    `lock_timeout_ms` for a table gives way to the queries behind it and is tried again, `attempts` times in all.
    Raises DatabaseUnavailable, and Rejected for a database that a later release has migrated.
    """
    from app.core.migrations.runner import run  # noqa: PLC0415 - see the module's docstring

    return run(database_url, lock_timeout_ms=lock_timeout_ms, attempts=attempts)


def current_revision(connection: Connection) -> str | None:
    """The revision of a database; None where it was never migrated."""
    if not one_value(connection, "SELECT to_regclass('alembic_version') IS NOT NULL"):
        return None
    revision: str | None = one_value(connection, "SELECT version_num FROM alembic_version")
    return revision
