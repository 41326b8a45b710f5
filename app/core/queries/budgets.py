"""Budgets: how many US dollars a project or a prompt may cost in a UTC month, and what it has cost."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from app.core.database import Connection
from app.core.queries.rows import all_rows, all_values, one_value

WHOLE_PROJECT = 0
"""The prompt_key of a budget of the whole project, as in rollups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetedSpend:
    """A budget with what was spent so far; `prompt_id` is None for that of the whole project, `name` the prompt's."""

    project_id: int
    prompt_id: UUID | None
    name: str | None
    usd_per_month: Decimal
    spent_usd: Decimal


# In parts, because Citus sums up nothing for each of the budgets, and knows no grouping sets of what lies on its nodes.
SELECT_BUDGETS = """
WITH budgeted AS MATERIALIZED (
    SELECT project_id, prompt_key, usd_per_month
    FROM budgets
    WHERE (%(project_id)s::integer IS NULL OR project_id = %(project_id)s)
      AND (%(set_before)s::timestamptz IS NULL OR changed_at < %(set_before)s)
),
spent AS MATERIALIZED (
    SELECT budgeted.project_id, budgeted.prompt_key, sum(rollups.cost_sum) AS usd
    FROM budgeted
    JOIN rollups
      ON rollups.project_id = budgeted.project_id
     AND rollups.prompt_key = budgeted.prompt_key
     AND rollups.version_key = 0
     AND rollups.grain = 'day'
     AND rollups.bucket_start >= %(month_start)s
     AND rollups.bucket_start < %(month_end)s
    GROUP BY budgeted.project_id, budgeted.prompt_key
),
unfolded_prompts AS MATERIALIZED (
    SELECT project_id, prompt_key, sum(cost_sum) AS usd
    FROM rollup_additions
    WHERE bucket_start >= %(month_start)s AND bucket_start < %(month_end)s
    GROUP BY project_id, prompt_key
),
unfolded AS MATERIALIZED (
    SELECT project_id, coalesce(prompt_key, 0) AS prompt_key, sum(usd) AS usd
    FROM unfolded_prompts
    GROUP BY GROUPING SETS ((project_id), (project_id, prompt_key))
)
SELECT budgeted.project_id, prompts.prompt_id, prompts.name, budgeted.usd_per_month,
       coalesce(spent.usd, 0) + coalesce(unfolded.usd, 0) AS spent_usd
FROM budgeted
LEFT JOIN prompts ON prompts.id = budgeted.prompt_key
LEFT JOIN spent ON spent.project_id = budgeted.project_id AND spent.prompt_key = budgeted.prompt_key
LEFT JOIN unfolded ON unfolded.project_id = budgeted.project_id AND unfolded.prompt_key = budgeted.prompt_key
ORDER BY budgeted.project_id, budgeted.prompt_key
"""


def select_budgets(
    connection: Connection,
    month_start: datetime,
    month_end: datetime,
    *,
    project_id: int | None = None,
    set_before: datetime | None = None,
) -> list[BudgetedSpend]:
    """All budgets, or those of a project, with the exact costs of the days from `month_start` on, before `month_end`.

    `set_before`: those alone whose amount was set before then. At most 31 rows of rollups are read for each, and
    what is not folded yet once, however many events there are.
    """
    parameters = {
        "month_start": month_start,
        "month_end": month_end,
        "project_id": project_id,
        "set_before": set_before,
    }
    return all_rows(connection, BudgetedSpend, SELECT_BUDGETS, parameters)


def select_budget(connection: Connection, project_id: int) -> Decimal | None:
    """What the whole project may cost in a month; None where nobody has said so."""
    sql = "SELECT usd_per_month FROM budgets WHERE project_id = %(project_id)s AND prompt_key = 0"
    found: Decimal | None = one_value(connection, sql, {"project_id": project_id})
    return found


def upsert_budget(connection: Connection, project_id: int, prompt_key: int, usd_per_month: Decimal) -> None:
    """Set it, as of now; the same amount once more changes nothing."""
    sql = """
        INSERT INTO budgets (project_id, prompt_key, usd_per_month)
        VALUES (%(project_id)s, %(prompt_key)s, %(usd_per_month)s)
        ON CONFLICT (project_id, prompt_key) DO UPDATE
        SET usd_per_month = excluded.usd_per_month, changed_at = now()
        WHERE budgets.usd_per_month <> excluded.usd_per_month
    """
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "usd_per_month": usd_per_month}
    connection.execute(sql, parameters)


def delete_budget(connection: Connection, project_id: int, prompt_key: int) -> bool:
    """False where there was none."""
    sql = "DELETE FROM budgets WHERE project_id = %(project_id)s AND prompt_key = %(prompt_key)s"
    return connection.execute(sql, {"project_id": project_id, "prompt_key": prompt_key}).rowcount == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptChoice:
    """A prompt that a budget can be for."""

    prompt_id: UUID
    name: str | None


def select_prompt_choices(connection: Connection, project_id: int, *, limit: int) -> list[PromptChoice]:
    """Those with names first, by name; then the others, the newest first."""
    sql = """
        SELECT prompt_id, name
        FROM prompts
        WHERE project_id = %(project_id)s
        ORDER BY name IS NULL, name, id DESC
        LIMIT %(limit)s
    """
    return all_rows(connection, PromptChoice, sql, {"project_id": project_id, "limit": limit})


def select_silence_minutes(connection: Connection, project_id: int) -> int | None:
    """After how many minutes without an event silence is news; None where it is none."""
    sql = "SELECT silence_minutes FROM projects WHERE id = %(project_id)s"
    values: list[int | None] = all_values(connection, sql, {"project_id": project_id})
    return values[0] if values else None


def update_silence_minutes(connection: Connection, project_id: int, minutes: int | None) -> None:
    sql = "UPDATE projects SET silence_minutes = %(minutes)s WHERE id = %(project_id)s"
    connection.execute(sql, {"project_id": project_id, "minutes": minutes})
