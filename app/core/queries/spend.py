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
        FROM rollups
        WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0 AND grain = 'day'
          AND bucket_start >= %(start)s AND bucket_start < %(end)s
    """
    return Decimal(one_value(connection, sql, {"project_id": project_id, "start": start, "end": end}))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentHour:
    """US dollars in the hour that begins `start_seconds` after the epoch."""

    start_seconds: int
    usd: float


def select_spent_by_hour(connection: Connection, project_id: int, start: datetime, end: datetime) -> list[SpentHour]:
    """In any order; hours without events are left out."""
    sql = f"""
        SELECT extract(epoch FROM bucket_start)::bigint AS start_seconds, {as_double("cost_sum")} AS usd
        FROM rollups
        WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0 AND grain = 'hour'
          AND bucket_start >= %(start)s AND bucket_start < %(end)s
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
        SELECT prompts.prompt_id, sum(rollups.cost_sum) AS usd
        FROM rollups JOIN prompts ON prompts.id = rollups.prompt_key
        WHERE rollups.project_id = %(project_id)s AND rollups.version_key = 0 AND rollups.grain = 'day'
          AND rollups.bucket_start >= %(start)s
        GROUP BY prompts.prompt_id
        HAVING sum(rollups.cost_sum) > 0
    """
    return all_rows(connection, SpentByPrompt, sql, {"project_id": project_id, "start": start})
