"""Databases of a test's own on the test run's PostgreSQL, and what empties the shared ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import local
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import redis
from psycopg import sql

# TRUNCATE makes new files for a table, its indexes, its partitions and all that refer to it: it is for what has grown.
# In the role of a replica no foreign key is looked at, so that any order will do.
EMPTY_FILLED_TABLES = """
DO $$
DECLARE
    filled regclass;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR filled IN
        SELECT oid
          FROM pg_class
         WHERE relnamespace = 'public'::regnamespace
           AND relkind = 'r'
           AND relname <> 'alembic_version'
           AND pg_relation_size(oid) > 0
    LOOP
        IF pg_table_size(filled) > 1000000 THEN
            EXECUTE format('TRUNCATE %s CASCADE', filled);
        ELSE
            EXECUTE format('DELETE FROM %s', filled);
        END IF;
    END LOOP;
END
$$
"""

RESTART_SEQUENCES = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
  FROM pg_sequences
 WHERE schemaname = 'public'
   AND last_value IS NOT NULL
"""


Connection = psycopg.Connection[tuple[Any, ...]]

_kept = local()


@contextmanager
def kept_connection(database_url: str) -> Iterator[Connection]:
    """A transaction of the one connection that this thread keeps for all tests: connecting costs more than a look."""
    kept: dict[str, Connection] = _kept.__dict__
    if database_url not in kept or not _answers(kept[database_url]):
        kept[database_url] = psycopg.connect(database_url, autocommit=True)
    with kept[database_url].transaction():
        yield kept[database_url]


def _answers(connection: Connection) -> bool:
    """False after the server was restarted."""
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        connection.close()
        return False
    return True


def empty_tables(database_url: str) -> None:
    """As after the migration."""
    with kept_connection(database_url) as connection:
        connection.execute(EMPTY_FILLED_TABLES)
        connection.execute(RESTART_SEQUENCES)


def empty_redis(url: str) -> None:
    """No keys, and the settings that the server had at its start."""
    with redis.Redis.from_url(url) as client:
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")
        client.flushall()


@contextmanager
def new_database(server_url: str) -> Iterator[str]:
    """The URL of an empty database, which goes again at the end, whoever is still connected."""
    name = f"test_{uuid4().hex}"
    _execute(server_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        _execute(server_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _execute(server_url: str, statement: sql.Composed) -> None:
    """Over a connection of its own: the server may be another one by the time of the next."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement)
