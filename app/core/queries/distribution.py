"""What Citus knows of a database, its nodes and which tables are spread over them, and the steps that change that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from app.core.database import Connection
from app.core.queries.rows import all_rows, all_values, one_value
from app.core.queries.session_locks import wait_for_session_lock

MIGRATION_LOCK = 0x70615F73
"""An advisory lock key of our own: "pa_s"."""


def take_migration_lock(connection: Connection) -> None:
    """Wait until nobody else migrates or distributes; it is held until the connection ends, however that comes."""
    wait_for_session_lock(connection, MIGRATION_LOCK)


def is_distributed(connection: Connection) -> bool:
    """Whether rollups and events are spread over the nodes of Citus; also where Citus has never been heard of."""
    has_citus = "SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL"
    if not one_value(connection, has_citus):
        return False
    spread = "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass('rollups'))"
    return bool(one_value(connection, spread))


def end_what_was_prepared(connection: Connection) -> None:
    """Let nodes end at once what was decided while they or the coordinator were away; by itself it takes a minute."""
    connection.execute("SELECT recover_prepared_transactions()")


def select_citus_version(connection: Connection) -> str | None:
    """That of the extension in this database; None where it was not created."""
    version: str | None = one_value(connection, "SELECT extversion FROM pg_extension WHERE extname = 'citus'")
    return version


def is_coordinator(connection: Connection) -> bool:
    """False on a worker node, and where the coordinator has not been told its own address."""
    select = """
        SELECT citus_is_coordinator()
               AND EXISTS (SELECT FROM pg_dist_node WHERE groupid = 0 AND isactive AND noderole = 'primary')
    """
    return bool(one_value(connection, select))


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A server that holds shards."""

    address: str
    port: int


def select_worker_nodes(connection: Connection) -> list[Node]:
    """Those that may hold shards, the coordinator among them only where it was told to."""
    select = """
        SELECT nodename AS address, nodeport AS port
        FROM pg_dist_node
        WHERE isactive AND shouldhaveshards AND noderole = 'primary'
        ORDER BY nodeid
    """
    return all_rows(connection, Node, select)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How a table is kept: `column` is the one by which it is spread, None for a copy on every node.

    `colocation` is the same number for tables whose shards lie side by side.
    """

    table: str
    column: str | None
    shards: int
    colocation: int


def select_placements(connection: Connection, tables: Sequence[str]) -> dict[str, Placement]:
    """Of those of the tables that are distributed or copied to every node."""
    select = """
        SELECT logicalrelid::regclass::text AS table,
               CASE WHEN partmethod = 'h' THEN column_to_column_name(logicalrelid, partkey) END AS column,
               (SELECT count(*) FROM pg_dist_shard WHERE pg_dist_shard.logicalrelid = placed.logicalrelid) AS shards,
               colocationid AS colocation
        FROM pg_dist_partition AS placed
        WHERE logicalrelid = ANY (SELECT to_regclass(name) FROM unnest(%(tables)s::text[]) AS wanted (name))
          AND (partmethod = 'h' OR repmodel = 't')
    """
    return {row.table: row for row in all_rows(connection, Placement, select, {"tables": list(tables)})}


# A table without partitions is no part of a tree.
_LEAVES = """(
    SELECT %(table)s::regclass AS part
    UNION
    SELECT relid FROM pg_partition_tree(%(table)s::regclass)
) AS leaves"""


def select_table_bytes(connection: Connection, table: str) -> int:
    """What the table, or all of its partitions, take on this server, indexes included."""
    select = f"SELECT coalesce(sum(pg_total_relation_size(part)), 0)::bigint FROM {_LEAVES}"
    return int(one_value(connection, select, {"table": table}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """A constraint of a table."""

    table: str
    name: str


def select_foreign_keys(connection: Connection, tables: Sequence[str], *, to: str) -> list[ForeignKey]:
    """By which those of the tables refer to another one."""
    select = """
        SELECT conrelid::regclass::text AS table, conname::text AS name
        FROM pg_constraint
        WHERE contype = 'f' AND confrelid = to_regclass(%(to)s)
          AND conrelid = ANY (SELECT to_regclass(name) FROM unnest(%(tables)s::text[]) AS wanted (name))
        ORDER BY conname
    """
    return all_rows(connection, ForeignKey, select, {"tables": list(tables), "to": to})


def drop_foreign_key(connection: Connection, key: ForeignKey) -> None:
    alter = sql.SQL("ALTER TABLE {table} DROP CONSTRAINT {name}")
    connection.execute(alter.format(table=sql.Identifier(key.table), name=sql.Identifier(key.name)))


def copy_to_every_node(connection: Connection, table: str) -> None:
    """Writers of the table, and of all that refer to it, wait meanwhile."""
    connection.execute("SELECT create_reference_table(%(table)s)", {"table": table})


def number_on(connection: Connection, table: str) -> None:
    """Let the numbers of new rows, in its column `id`, come after those that are there."""
    largest = sql.SQL("SELECT coalesce(max(id), 0) FROM {table}").format(table=sql.Identifier(table))
    found = connection.execute(largest).fetchone()
    assert found is not None
    follow = "SELECT setval(pg_get_serial_sequence(%(table)s, 'id'), %(largest)s + 1, false)"
    connection.execute(follow, {"table": table, "largest": found[0]})


def spread_by(connection: Connection, table: str, column: str, *, shards: int) -> None:
    """Move the rows into so many shards on the nodes; writers wait meanwhile."""
    spread = """
        SELECT create_distributed_table(%(table)s, %(column)s, shard_count => %(shards)s, colocate_with => 'none')
    """
    connection.execute(spread, {"table": table, "column": column, "shards": shards})


def spread_beside(connection: Connection, table: str, column: str, *, beside: str) -> None:
    """As `spread_by`: what has the same value there lies on the same node in both tables."""
    spread = "SELECT create_distributed_table(%(table)s, %(column)s, colocate_with => %(beside)s)"
    connection.execute(spread, {"table": table, "column": column, "beside": beside})


def select_tables_with_remains(connection: Connection, table: str) -> list[str]:
    """The table and those of its partitions that still hold on this server what was copied into shards."""
    select = f"SELECT part::text FROM {_LEAVES} WHERE pg_relation_size(part) > 0 ORDER BY part::text"
    return all_values(connection, select, {"table": table})


def drop_remains(connection: Connection, table: str) -> None:
    """Empty on this server what nobody can read any more since it lies in shards."""
    connection.execute("SELECT truncate_local_data_after_distributing_table(%(table)s)", {"table": table})


# What every session of ours sets for itself and Citus's connections between the nodes do not inherit: a commit must
# be on the disk of every node, and a day must begin at the same moment on all.
NODE_SETTINGS: dict[LiteralString, LiteralString] = {"synchronous_commit": "on", "timezone": "UTC", "jit": "off"}


def select_missing_settings(connection: Connection) -> list[LiteralString]:
    """The names of those of NODE_SETTINGS that this role does not have in this database."""
    select = """
        SELECT lower(split_part(setting, '=', 1)) || '=' || split_part(setting, '=', 2)
        FROM pg_db_role_setting CROSS JOIN unnest(setconfig) AS setting
        WHERE setrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
          AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
    found = set(all_values(connection, select))
    return [name for name, value in NODE_SETTINGS.items() if f"{name}={value}" not in found]


def set_on_every_node(connection: Connection, names: Sequence[LiteralString]) -> None:
    """Give this role the settings in this database; Citus hands them on to all nodes, and to those that come later."""
    database = sql.Identifier(str(one_value(connection, "SELECT current_database()")))
    for name in names:
        alter = sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {database} SET {name} TO {value}")
        connection.execute(
            alter.format(database=database, name=sql.Identifier(name), value=sql.Literal(NODE_SETTINGS[name]))
        )
