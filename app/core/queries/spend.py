"""What a project has spent, by day, by hour and by prompt."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from app.core.database import Connection
from app.core.queries.doubles import as_double
from app.core.queries.rows import all_rows, one_value


def select_spent(connection: Connection, project_id: int, start: datetime, end: datetime) -> Decimal:
    """US dollars, exact; both times begin UTC days."""
    sql = """
        SELECT coalesce(sum(cost_sum), 0)
        FROM (
            SELECT cost_sum
            FROM rollups
            WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0 AND grain = 'day'
              AND bucket_start >= %(start)s AND bucket_start < %(end)s
            UNION ALL
            SELECT cost_sum
            FROM rollup_additions
            WHERE project_id = %(project_id)s AND bucket_start >= %(start)s AND bucket_start < %(end)s
        ) AS counted
    """
    return Decimal(one_value(connection, sql, {"project_id": project_id, "start": start, "end": end}))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentHour:
    """US dollars in the hour that begins `start_seconds` after the epoch."""

    start_seconds: int
    usd: float


def select_spent_by_hour(connection: Connection, project_id: int, start: datetime, end: datetime) -> list[SpentHour]:
    """In any order; hours without events are left out. Both times begin hours."""
    sql = f"""
        SELECT extract(epoch FROM hour_start)::bigint AS start_seconds, {as_double("sum(cost_sum)")} AS usd
        FROM (
            SELECT bucket_start AS hour_start, cost_sum
            FROM rollups
            WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0 AND grain = 'hour'
              AND bucket_start >= %(start)s AND bucket_start < %(end)s
            UNION ALL
            SELECT date_trunc('hour', bucket_start, 'UTC') AS hour_start, cost_sum
            FROM rollup_additions
            WHERE project_id = %(project_id)s AND bucket_start >= %(start)s AND bucket_start < %(end)s
        ) AS counted
        GROUP BY hour_start
    """
    parameters = {"project_id": project_id, "start": start, "end": end}
    return all_rows(connection, SpentHour, sql, parameters, binary=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentByPrompt:
    """US dollars, exact."""

    prompt_id: UUID
    usd: Decimal


def select_spent_by_prompt(connection: Connection, project_id: int, start: datetime) -> list[SpentByPrompt]:
    """In any order, of the UTC days that begin from `start` on; prompts without costs are left out."""
    sql = """
        SELECT prompts.prompt_id, spent.usd
        FROM (
            SELECT prompt_key, sum(cost_sum) AS usd
            FROM (
                SELECT prompt_key, cost_sum
                FROM rollups
                WHERE project_id = %(project_id)s AND prompt_key > 0 AND version_key = 0 AND grain = 'day'
                  AND bucket_start >= %(start)s
                UNION ALL
                SELECT prompt_key, cost_sum
                FROM rollup_additions
                WHERE project_id = %(project_id)s AND bucket_start >= %(start)s
            ) AS counted
            GROUP BY prompt_key
            HAVING sum(cost_sum) > 0
        ) AS spent
        JOIN prompts ON prompts.id = spent.prompt_key
    """
    return all_rows(connection, SpentByPrompt, sql, {"project_id": project_id, "start": start})
