"""What was found, as news: the payload that is stored, and what makes it one piece."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from app.core.queries.budgets import BudgetedSpend
from app.core.queries.looks import NewDeadLetters, SilentProject
from app.core.queries.news import News, NewsKind

THRESHOLDS_PERCENT = (50, 80, 100)
THE_PROJECT = "project"
NAMED_REASONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureChange:
    """What a version changes of a measure, with the interval that the claim rests on.

    `change`, `low` and `high` are parts of 1 of the cost and of latencies (0.12: 12 % more), and points of the score;
    None where the events can't tell, as where something was free before. `is_more`: the direction.
    """

    measure: Literal["cost_usd", "latency_ms", "latency_p95_ms", "score"]
    change: float | None
    low: float | None
    high: float | None
    is_more: bool


def version_news(
    kind: Literal[NewsKind.VERSION_WORSE, NewsKind.VERSION_BETTER],
    *,
    project_id: int,
    prompt_id: UUID,
    prompt_name: str | None,
    baseline: tuple[str, str | None],
    candidate: tuple[str, str | None],
    compared: Literal["side_by_side", "before_after"],
    decision: str,
    changes: Sequence[MeasureChange],
) -> News:
    """A version is worse or better than another: once for each pair, however often it is found.

    A version is its hash and its name, if it has one. `decision` is that of the comparison, as the API names it.
    `changes` are those that make it so, the weightiest first.
    """
    payload = {
        "prompt": {"prompt_id": str(prompt_id), "name": prompt_name},
        "baseline": {"version_hash": baseline[0], "name": baseline[1]},
        "candidate": {"version_hash": candidate[0], "name": candidate[1]},
        "compared": compared,
        "decision": decision,
        "changes": [asdict(change) for change in changes],
    }
    period = pair_of_versions(baseline[0], candidate[0])
    return News(project_id=project_id, kind=kind, subject=str(prompt_id), period=period, payload=payload)


def pair_of_versions(baseline_hash: str, candidate_hash: str) -> str:
    """The period of their news: a hash, because two version hashes may be longer than an index takes."""
    return hashlib.sha256(json.dumps([baseline_hash, candidate_hash]).encode()).hexdigest()


def budget_news(spend: BudgetedSpend, month_start: datetime) -> list[News]:
    """One for each threshold that is reached. Where the budget is changed, its thresholds can be reached anew."""
    month = f"{month_start:%Y-%m}"
    reached = [percent for percent in THRESHOLDS_PERCENT if spend.spent_usd * 100 >= spend.usd_per_month * percent]
    subject = THE_PROJECT if spend.prompt_id is None else str(spend.prompt_id)
    prompt = None if spend.prompt_id is None else {"prompt_id": str(spend.prompt_id), "name": spend.name}
    return [
        News(
            project_id=spend.project_id,
            kind=NewsKind.BUDGET,
            subject=subject,
            period=f"{month}: {percent} % of {spend.usd_per_month.normalize():f}",
            payload={
                "prompt": prompt,
                "month": month,
                "percent": percent,
                "budget_usd": float(spend.usd_per_month),
                "spent_usd": float(spend.spent_usd),
            },
        )
        for percent in reached
    ]


def silence_news(silent: SilentProject) -> News:
    """Once for each silence: it is named by the minute of the last event before it."""
    last = f"{silent.last_minute:%Y-%m-%dT%H:%MZ}"
    return News(
        project_id=silent.project_id,
        kind=NewsKind.SILENCE,
        subject=THE_PROJECT,
        period=last,
        payload={"minutes": silent.silence_minutes, "last_event_at": last},
    )


def dead_letter_news(found: NewDeadLetters) -> News:
    """All that were set aside since the last such news, in one; `last_id` is where the next goes on."""
    return News(
        project_id=found.project_id,
        kind=NewsKind.DEAD_LETTERS,
        subject=THE_PROJECT,
        period=str(found.last_id),
        payload={"letters": found.letters, "reasons": found.reasons[:NAMED_REASONS], "last_id": found.last_id},
    )
