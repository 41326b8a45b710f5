"""Databases of a test's own on the test run's PostgreSQL, and what empties the shared ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import redis
from psycopg import sql

SELECT_TABLES = """
SELECT quote_ident(relname)
  FROM pg_class
 WHERE relnamespace = 'public'::regnamespace
   AND relkind IN ('r', 'p')
   AND NOT relispartition
   AND relname <> 'alembic_version'
"""


def empty_tables(database_url: str) -> None:
    """As after the migration."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        tables = ", ".join(str(name) for (name,) in connection.execute(SELECT_TABLES))
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE".encode())


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
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
