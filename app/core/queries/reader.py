"""The role that reads the views of the schema analytics: whether it is there, and what it may read."""

from app.core.database import Connection, database_errors
from app.core.errors import StatementRefused
from app.core.queries.rows import all_values, one_value

READER = "pa_reader"
CREATE_READER = f"CREATE ROLE {READER} NOLOGIN"
GRANT_VIEWS = f"""
GRANT USAGE ON SCHEMA analytics TO {READER};
GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO {READER}
"""


def ensure_reader(connection: Connection) -> bool:
    """Make the role where there is none, and let it read the views; False where this user may not make roles."""
    if not one_value(connection, "SELECT to_regrole(%(reader)s) IS NOT NULL", {"reader": READER}):
        try:
            with database_errors():
                connection.execute(CREATE_READER)
        except StatementRefused:
            return False
    connection.execute(GRANT_VIEWS)
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
    """Our own tables that the role may read as well, which it must not."""
    sql = """
        SELECT relname
        FROM pg_class
        WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'projects'::regclass)
          AND relkind IN ('r', 'p', 'v', 'm')
          AND (has_table_privilege(%(reader)s, oid, 'SELECT') OR has_any_column_privilege(%(reader)s, oid, 'SELECT'))
        ORDER BY relname
    """
    return all_values(connection, sql, {"reader": READER})
