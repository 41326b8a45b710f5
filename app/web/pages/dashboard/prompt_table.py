"""The prompts of a project as a table."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from app.core.analytics.decision import Finding
from app.core.analytics.project_overview import PromptSummary
from app.core.analytics.prompt_changes import ChangeMeasure
from app.web.pages.charts.changes import MEASURE_WORDS, change_of, clearest, worsening
from app.web.pages.layout.formatting import Change
from app.web.pages.layout.tables import Column, Table, table


@dataclass(frozen=True, slots=True)
class PromptChange:
    """The clearest change of a prompt, and of what."""

    measure: str
    change: Change


def change_of_prompt(prompt: PromptSummary) -> PromptChange | None:
    """None where nothing has clearly changed."""
    found = clearest(prompt.changes)
    change = change_of(found[1]) if found else None
    return PromptChange(MEASURE_WORDS[found[0]], change) if found and change else None


def _worsening(prompt: PromptSummary) -> float | None:
    """The largest worsening first: what is not clear stands between worse and better, what has no past at the end."""
    found = clearest(prompt.changes)
    return worsening(found[1]) if found else 0.0 if prompt.changes else None


def _clearest(prompt: PromptSummary, value: Callable[[ChangeMeasure, Finding], object]) -> object:
    found = clearest(prompt.changes)
    return value(*found) if found else None


def _number(part: Literal["estimate", "low", "high"]) -> Callable[[PromptSummary], object]:
    """A ratio as a part of 1 more or less, of score the difference."""

    def number(_: ChangeMeasure, finding: Finding) -> float:
        value = float(getattr(finding.interval, part))
        return math.expm1(min(value, 700.0)) if finding.is_ratio else value

    return lambda prompt: _clearest(prompt, number)


PROMPTS: Table[PromptSummary] = table(
    Column("prompt", "Prompt", lambda prompt: (prompt.name or str(prompt.prompt_id)).casefold(), is_number=False),
    Column("events", "Events", lambda prompt: prompt.usage.events),
    Column("cost", "Cost", lambda prompt: prompt.usage.cost_usd.sum),
    Column("score", "Mean score", lambda prompt: prompt.usage.score.mean),
    Column("p50", "p50", lambda prompt: prompt.usage.latency_ms.p50),
    Column("p95", "p95", lambda prompt: prompt.usage.latency_ms.p95),
    Column("change", "Change", _worsening),
    Column("seen", "Last seen", lambda prompt: prompt.last_seen),
    sorted_by="events",
)
CSV_COLUMNS: dict[str, Callable[[PromptSummary], object]] = {
    "prompt_id": lambda prompt: str(prompt.prompt_id),
    "prompt_name": lambda prompt: prompt.name,
    "events": lambda prompt: prompt.usage.events,
    "cost_usd": lambda prompt: prompt.usage.cost_usd.sum,
    "cost_share": lambda prompt: None if prompt.cost_share is None else round(prompt.cost_share, 6),
    "mean_score": lambda prompt: prompt.usage.score.mean,
    "p50_latency_ms": lambda prompt: prompt.usage.latency_ms.p50,
    "p95_latency_ms": lambda prompt: prompt.usage.latency_ms.p95,
    "changed": lambda prompt: _clearest(prompt, lambda measure, _: measure),
    "change": _number("estimate"),
    "change_low": _number("low"),
    "change_high": _number("high"),
    "last_seen": lambda prompt: prompt.last_seen,
}
