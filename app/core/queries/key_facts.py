"""What pages tell of a project's keys in passing: how they are called, and how many of them end soon."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.database import Connection
from app.core.queries.rows import all_rows, one_value


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyName:
    """What people know a key by."""

    key_id: int
    name: str
    prefix: str


def select_key_names(connection: Connection, project_id: int, key_ids: Sequence[int]) -> list[KeyName]:
    """Of those keys that the project has."""
    sql = """
        SELECT id AS key_id, name, prefix
        FROM api_keys
        WHERE project_id = %(project_id)s AND id = ANY(%(key_ids)s)
    """
    return all_rows(connection, KeyName, sql, {"project_id": project_id, "key_ids": list(key_ids)})


def select_busiest_keys(
    connection: Connection, project_id: int, events_by_key: Mapping[int, int], *, limit: int
) -> list[KeyName]:
    """Of the keys with events those that the project has, the one with the most first."""
    names = select_key_names(connection, project_id, list(events_by_key)) if events_by_key else []
    return sorted(names, key=lambda key: (-events_by_key[key.key_id], key.key_id))[:limit]


def count_keys_ending(connection: Connection, project_id: int, *, now: datetime, until: datetime) -> int:
    """How many keys of a project work now and end by then, and have no successor that works."""
    sql = """
        SELECT count(*)
        FROM api_keys
        WHERE project_id = %(project_id)s AND revoked_at IS NULL
          AND expires_at > %(now)s AND expires_at <= %(until)s
          AND NOT EXISTS (
              SELECT
              FROM api_keys AS successor
              WHERE successor.project_id = %(project_id)s AND successor.rotated_from = api_keys.id
                AND successor.revoked_at IS NULL
                AND (successor.expires_at IS NULL OR successor.expires_at > %(now)s)
          )
    """
    return int(one_value(connection, sql, {"project_id": project_id, "now": now, "until": until}))
