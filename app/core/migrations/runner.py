"""One run of the migrations: one runner at a time, no waiting for a table behind which everybody else would queue."""

import logging
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from app.core.database import Connection, connect, connected
from app.core.errors import DatabaseUnavailable, Rejected
from app.core.migrations import SCHEMA_REVISION, current_revision
from app.core.migrations.distribution import distribute
from app.core.queries.distribution import is_distributed, take_migration_lock
from app.core.queries.partitions import ensure_coming_partitions

LONGEST_RUN_MS = 600_000
PAUSE_SECONDS = 1.0
LOCK_NOT_AVAILABLE = "55P03"

log = logging.getLogger(__name__)


def run(database_url: str, *, lock_timeout_ms: int, attempts: int) -> str | None:
    # The lock belongs to this connection, so it ends with it, however this process ends.
    with connected(
        database_url,
        application_name="pa-migrate",
        statement_timeout_ms=LONGEST_RUN_MS,
        lock_timeout_ms=LONGEST_RUN_MS,
    ) as lock_holder:
        take_migration_lock(lock_holder)
        revision = current_revision(lock_holder)
        _upgrade(database_url, revision, lock_timeout_ms=lock_timeout_ms, attempts=attempts)
        if is_distributed(lock_holder):
            distribute(lock_holder, tell=log.info)
        ensure_coming_partitions(lock_holder, datetime.now(UTC).date())
        return revision


def _upgrade(database_url: str, revision: str | None, *, lock_timeout_ms: int, attempts: int) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise Rejected(f"the database is at revision {revision}, which this release does not know: it is older")
    for attempt in range(1, attempts + 1):
        if _try_upgrade(config, database_url, lock_timeout_ms):
            return
        log.warning("a table is in use", extra={"attempt": attempt, "attempts": attempts})
        if attempt < attempts:
            time.sleep(PAUSE_SECONDS)
    raise DatabaseUnavailable(
        f"a long-running query or transaction holds a table that the migration needs; gave way {attempts} times"
    )


def _try_upgrade(config: Config, database_url: str, lock_timeout_ms: int) -> bool:
    """Whether it went through; False where a lock was not to be had. Other errors leave as psycopg raised them."""

    def connect_for_migration() -> Connection:
        connection = connect(
            database_url, application_name="pa-migrate", statement_timeout_ms=0, lock_timeout_ms=lock_timeout_ms
        )
        # Where tables are spread over nodes: by one connection each, so that any statement may follow any other.
        connection.execute("SET citus.multi_shard_modify_mode TO 'sequential'")
        # SQLAlchemy begins and ends the transactions itself.
        connection.autocommit = False
        return connection

    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=connect_for_migration, poolclass=sqlalchemy.pool.NullPool
    )
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, SCHEMA_REVISION)
    except sqlalchemy.exc.DBAPIError as error:
        if error.orig is None:
            raise
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            return False
        raise error.orig from error
    return True
