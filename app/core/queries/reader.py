"""The role that reads the views of the schema analytics: whether it is there, and what it may read."""

from typing import LiteralString

from app.core.database import Connection, database_errors
from app.core.errors import StatementRefused
from app.core.queries.distribution import is_distributed
from app.core.queries.rows import all_values, one_value

READER = "pa_reader"
CREATE_READER = f"CREATE ROLE {READER} NOLOGIN"
# By name: the schema may have been there, with tables of somebody else in it.
GRANTS = (
    f"GRANT USAGE ON SCHEMA analytics TO {READER}",
    f"GRANT SELECT ON analytics.prompts_daily, analytics.versions_hourly, analytics.raw_events TO {READER}",
    f"GRANT EXECUTE ON FUNCTION analytics.latency_percentiles TO {READER}",
)


# The nodes of Citus ask for the rights of whoever asks the coordinator, and not, as a view does, for its owner's.
READ_ON_NODES: tuple[LiteralString, ...] = ("events", "prompt_versions", "prompts", "rollup_additions", "rollups")


def ensure_reader(connection: Connection) -> bool:
    """Make the role where there is none, and let it read the views; False where this user may not make roles.

    On a distributed database it must also be able to read what the views read on the nodes, READ_ON_NODES.
    """
    if not one_value(connection, "SELECT to_regrole(%(reader)s) IS NOT NULL", {"reader": READER}):
        try:
            with database_errors():
                connection.execute(CREATE_READER)
        except StatementRefused:
            return False
    for grant in GRANTS:
        connection.execute(grant)
    if is_distributed(connection):
        # one by one, because Citus cannot change a table that is copied behind one that is spread
        for table in READ_ON_NODES:
            connection.execute(f"GRANT SELECT ON {table} TO {READER}")
    return True


def select_readable_views(connection: Connection) -> list[str]:
    """Those that the role may read, by their full names."""
    sql = """
        SELECT 'analytics.' || relname
        FROM pg_class
        WHERE relnamespace = 'analytics'::regnamespace AND relkind = 'v'
          AND has_table_privilege(%(reader)s, oid, 'SELECT')
        ORDER BY relname
    """
    return all_values(connection, sql, {"reader": READER})


def select_readable_tables(connection: Connection) -> list[str]:
    """Our own tables that the role may read as well, which it must not, unless they are READ_ON_NODES.

    Those of extensions are theirs to guard: pg_stat_statements and Citus let everybody read some.
    """
    sql = """
        SELECT relname
        FROM pg_class
        WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'projects'::regclass)
          AND relkind IN ('r', 'p', 'v', 'm')
          AND NOT EXISTS (
              SELECT FROM pg_depend
              WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'
          )
          AND (has_table_privilege(%(reader)s, oid, 'SELECT') OR has_any_column_privilege(%(reader)s, oid, 'SELECT'))
        ORDER BY relname
    """
    readable: list[str] = all_values(connection, sql, {"reader": READER})
    return [table for table in readable if not (table in READ_ON_NODES and is_distributed(connection))]
