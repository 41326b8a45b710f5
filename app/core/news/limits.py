"""What people set for a project: budgets, and how long silence may last; each change is in the audit log."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from app.core.database import Connection
from app.core.errors import NotFound
from app.core.queries.audit_log import Action, Actor, insert_audit_entry
from app.core.queries.budgets import WHOLE_PROJECT, delete_budget, update_silence_minutes, upsert_budget
from app.core.queries.names import select_prompt

SHORTEST_SILENCE_MINUTES = 5
LONGEST_SILENCE_MINUTES = 1_440
LARGEST_BUDGET_USD = Decimal(10**12)


@dataclass(frozen=True, slots=True)
class Month:
    """A UTC month: from its beginning up to that of the next."""

    start: datetime
    end: datetime


def month_of(time: datetime) -> Month:
    start = time.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Month(start, (start + timedelta(days=32)).replace(day=1))


def set_budget(
    connection: Connection, project_id: int, prompt_id: UUID | None, usd_per_month: Decimal | None, *, by: Actor
) -> None:
    """Of the project, or of a prompt; None takes the budget away. Raises NotFound for a prompt that it never used."""
    with connection.transaction():
        prompt_key, of = WHOLE_PROJECT, "the project"
        if prompt_id is not None:
            prompt = select_prompt(connection, project_id, prompt_id)
            if prompt is None:
                raise NotFound("there is no such prompt in this project")
            prompt_key, of = prompt.prompt_key, prompt.name or str(prompt_id)
        if usd_per_month is None:
            if not delete_budget(connection, project_id, prompt_key):
                return
        else:
            upsert_budget(connection, project_id, prompt_key, usd_per_month)
        amount = "none" if usd_per_month is None else f"${usd_per_month:,f} a month"
        insert_audit_entry(connection, Action.BUDGET_CHANGED, by, subject=f"{of} (now {amount})", project_id=project_id)


def set_silence(connection: Connection, project_id: int, minutes: int | None, *, by: Actor) -> None:
    """After how many minutes without an event silence is news; None: never."""
    with connection.transaction():
        update_silence_minutes(connection, project_id, minutes)
        subject = "no news of silence" if minutes is None else f"after {minutes} minutes"
        insert_audit_entry(connection, Action.SILENCE_CHANGED, by, subject=subject, project_id=project_id)
