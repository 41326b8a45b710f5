"""How much worse a version may be without it mattering: as set for the prompt, else the project, else by default."""

from typing import Literal, NamedTuple
from uuid import UUID

from app.core.analytics.comparison import DEFAULT_MARGINS, Margins, ProjectMargins
from app.core.analytics.usage import find_prompt
from app.core.database import Connection
from app.core.queries.audit_log import Action, Actor, insert_audit_entry
from app.core.queries.margins import (
    MarginsRow,
    delete_margins,
    select_all_margins,
    select_margins,
    upsert_margins,
)
from app.core.rollups.rollup import WHOLE

Source = Literal["prompt", "project", "default"]

NOT_PART = "not part of the decision"


class MarginsFound(NamedTuple):
    """Margins, and what they were set for."""

    margins: Margins
    source: Source


def read_margins(connection: Connection, project_id: int, prompt_key: int) -> Margins:
    """Those that a prompt is compared by; `prompt_key` is WHOLE for those of the project."""
    return find_margins(connection, project_id, prompt_key).margins


def find_margins(connection: Connection, project_id: int, prompt_key: int) -> MarginsFound:
    """The same, with where they come from."""
    found = select_margins(connection, project_id, prompt_key)
    if not found:
        return MarginsFound(DEFAULT_MARGINS, "default")
    row = found[0]
    return MarginsFound(_margins(row), "project" if row.prompt_key == WHOLE else "prompt")


def read_project_margins(connection: Connection, project_id: int) -> ProjectMargins:
    found = [(row.prompt_key, _margins(row)) for row in select_all_margins(connection, project_id)]
    own = tuple(each for each in found if each[0] != WHOLE)
    return ProjectMargins(dict(found).get(WHOLE, DEFAULT_MARGINS), own)


def set_margins(
    connection: Connection, project_id: int, prompt_id: UUID | None, margins: Margins | None, by: Actor
) -> None:
    """Set those of a prompt, or of the project where it is None; without margins, take back what was set.

    Raises NotFound for a prompt that the project has never used.
    """
    with connection.transaction():
        prompt_key = WHOLE if prompt_id is None else find_prompt(connection, project_id, prompt_id).prompt_key
        subject = "the project" if prompt_id is None else f"prompt {prompt_id}"
        if margins is None:
            if not delete_margins(connection, project_id, prompt_key):
                return
            subject += " (as before)"
        else:
            row = MarginsRow(
                prompt_key=prompt_key,
                cost_usd=margins.cost_usd,
                latency_ms=margins.latency_ms,
                latency_p95_ms=margins.latency_p95_ms,
                score=margins.score,
            )
            upsert_margins(connection, project_id, row)
            subject += f" ({in_words(margins)})"
        insert_audit_entry(connection, Action.MARGINS_SET, by, subject=subject, project_id=project_id)


def in_words(margins: Margins) -> str:
    """As the audit log and the pages say it."""
    shares = margins.cost_usd, margins.latency_ms, margins.latency_p95_ms
    cost, latency, tail = (NOT_PART if share is None else f"{100 * share:.6g}\N{NO-BREAK SPACE}%" for share in shares)
    score = NOT_PART if margins.score is None else f"{margins.score:.6g}"
    return f"cost {cost}, latency {latency}, p95 latency {tail}, score {score}"


def _margins(row: MarginsRow) -> Margins:
    return Margins(row.cost_usd, row.latency_ms, row.latency_p95_ms, row.score)
