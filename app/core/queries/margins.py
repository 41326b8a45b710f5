"""Margins that admins have set. `prompt_key` is WHOLE for those of the project."""

from dataclasses import dataclass

from app.core.database import Connection
from app.core.queries.rows import all_rows
from app.core.rollups.rollup import WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginsRow:
    """Shares, but for `score`; None where the measure is not part of the decision."""

    prompt_key: int
    cost_usd: float | None
    latency_ms: float | None
    latency_p95_ms: float | None
    score: float | None


def select_margins(connection: Connection, project_id: int, prompt_key: int) -> list[MarginsRow]:
    """Those of the prompt, as far as there are any, before those of the project."""
    sql = """
        SELECT prompt_key, cost_usd, latency_ms, latency_p95_ms, score
        FROM comparison_margins
        WHERE project_id = %(project_id)s AND prompt_key IN (%(prompt_key)s, %(whole)s)
        ORDER BY prompt_key DESC
    """
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "whole": WHOLE}
    return all_rows(connection, MarginsRow, sql, parameters)


def select_all_margins(connection: Connection, project_id: int) -> list[MarginsRow]:
    """Those of the project and of all its prompts, in the order of their keys."""
    sql = """
        SELECT prompt_key, cost_usd, latency_ms, latency_p95_ms, score
        FROM comparison_margins
        WHERE project_id = %(project_id)s
        ORDER BY prompt_key
    """
    return all_rows(connection, MarginsRow, sql, {"project_id": project_id})


def upsert_margins(connection: Connection, project_id: int, margins: MarginsRow) -> None:
    sql = """
        INSERT INTO comparison_margins (project_id, prompt_key, cost_usd, latency_ms, latency_p95_ms, score)
        VALUES (%(project_id)s, %(prompt_key)s, %(cost_usd)s, %(latency_ms)s, %(latency_p95_ms)s, %(score)s)
        ON CONFLICT (project_id, prompt_key) DO UPDATE
        SET cost_usd = excluded.cost_usd, latency_ms = excluded.latency_ms,
            latency_p95_ms = excluded.latency_p95_ms, score = excluded.score
    """
    parameters = {
        "project_id": project_id,
        "prompt_key": margins.prompt_key,
        "cost_usd": margins.cost_usd,
        "latency_ms": margins.latency_ms,
        "latency_p95_ms": margins.latency_p95_ms,
        "score": margins.score,
    }
    connection.execute(sql, parameters)


def delete_margins(connection: Connection, project_id: int, prompt_key: int) -> bool:
    """False where there were none."""
    sql = "DELETE FROM comparison_margins WHERE project_id = %(project_id)s AND prompt_key = %(prompt_key)s"
    return connection.execute(sql, {"project_id": project_id, "prompt_key": prompt_key}).rowcount == 1
