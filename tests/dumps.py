"""All that Redis and PostgreSQL hold, as text, to look for what must not be there."""

from typing import Any, cast

import psycopg
import redis
from psycopg import sql

SELECT_TABLES = """
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
"""


def dump_redis(url: str) -> str:
    """Each key with its value, also one that is compressed or of RQ's."""
    with redis.Redis.from_url(url) as client:
        return "\n".join(f"{key!r} {_value(client, key)!r}" for key in client.scan_iter(count=1_000))


def dump_postgres(url: str) -> str:
    """Each row of each table; bytes as text too, where they are text."""
    with psycopg.connect(url) as connection:
        tables = [name for (name,) in connection.execute(SELECT_TABLES.encode()).fetchall()]
        assert "api_keys" in tables
        rows = [
            row
            for table in tables
            for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall()
        ]
    return "\n".join(repr(row) for row in rows)


def _value(client: redis.Redis, key: bytes) -> Any:
    kind = cast(bytes, client.type(key)).decode()
    read = {
        "none": lambda _: "gone meanwhile",
        "string": client.get,
        "hash": client.hgetall,
        "set": client.smembers,
        "list": lambda key: client.lrange(key, 0, -1),
        "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        "stream": lambda key: (client.xrange(key), client.xinfo_groups(key)),
    }[kind]
    return read(key)
