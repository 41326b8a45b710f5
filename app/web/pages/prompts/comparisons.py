"""/dashboard/prompts/<id>/comparisons: all versions against one of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from werkzeug.wrappers import Response

from app.core.analytics.comparison import MEASURES, MeasureName
from app.core.analytics.decision import Finding
from app.core.analytics.prompt_overview import MAX_CHOICES
from app.core.analytics.usage import CostUsage, LatencyUsage, ScoreUsage, Usage
from app.core.analytics.version_comparison import ComparedVersion, Comparison
from app.core.analytics.version_table import MAX_CANDIDATES, VersionTable, read_version_table
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.rendering import page
from app.web.pages.prompts.addresses import Address, read_address, versions_looked_up
from app.web.pages.prompts.comparison_card import labels_of, options_of
from app.web.pages.prompts.comparison_words import BADGES
from app.web.pages.prompts.measure_words import VOCABULARY, Row, rows_of
from app.web.reading import ask_snapshot
from app.web.request_context import visitor

KINDS = {"side_by_side": "side by side", "before_after": "before and after"}

blueprint = page_blueprint("comparisons")


@dataclass(frozen=True, slots=True)
class Line:
    """A version against the baseline; `measures` in the order of MEASURES, None where there is nothing to compare."""

    version: ComparedVersion
    badge: tuple[str, str]
    kind: str
    measures: list[Row | None]


@blueprint.get("/dashboard/prompts/<uuid:prompt_id>/comparisons")
@signed_in()
def comparisons(prompt_id: UUID) -> Response:
    """The page; 404 for a prompt that the project has never used, and for a version that the prompt does not have."""
    address = read_address()
    found = _read(prompt_id, address)
    labels = labels_of(found.choices, [found.baseline] if found.baseline else [])
    return page(
        "prompts/comparisons.html",
        active="dashboard",
        now=address.now,
        prompt_id=prompt_id,
        found=found,
        options=options_of(found.choices, labels),
        lines=[_line(each) for each in found.comparisons],
        labels=[VOCABULARY[name].label for name in MEASURES],
        version_labels=labels,
        max_candidates=MAX_CANDIDATES,
        address=address,
    )


@blueprint.get("/dashboard/prompts/<uuid:prompt_id>/comparisons.csv")
@signed_in()
def download(prompt_id: UUID) -> Response:
    found = _read(prompt_id, read_address())
    return csv_table(f"comparisons-{prompt_id}.csv", _columns(), found.comparisons)


def _read(prompt_id: UUID, address: Address) -> VersionTable:
    with versions_looked_up():
        return ask_snapshot(
            read_version_table,
            visitor().project_id,
            prompt_id,
            address.choice.baseline,
            max_choices=MAX_CHOICES,
            now=datetime.now(UTC),
        )


def _line(comparison: Comparison) -> Line:
    rows = dict(zip((name for name in MEASURES if name in comparison.measured), rows_of(comparison), strict=True))
    return Line(
        comparison.candidate,
        BADGES[comparison.decision],
        KINDS[comparison.kind],
        [rows.get(name) for name in MEASURES],
    )


def _columns() -> dict[str, Callable[[Comparison], object]]:
    """Shares of the baseline (0.08 is 8 % more), but for the score, which is the difference itself."""
    columns: dict[str, Callable[[Comparison], object]] = {
        "version_hash": lambda each: each.candidate.version_hash,
        "version_name": lambda each: each.candidate.name,
        "baseline_hash": lambda each: each.baseline.version_hash,
        "first_seen": lambda each: each.candidate.first_seen,
        "decision": lambda each: each.decision,
        "kind": lambda each: each.kind,
        "events": lambda each: each.candidate.usage.events,
        "baseline_events": lambda each: each.baseline.usage.events,
    }
    for name in MEASURES:
        columns[f"{name}_verdict"] = _verdict_of(name)
        for end in ("estimate", "low", "high"):
            columns[f"{name}_{end}"] = _column_of_end(name, end)
    return columns


def _verdict_of(name: MeasureName) -> Callable[[Comparison], object]:
    return lambda comparison: found.verdict if (found := comparison.measured.get(name)) else _without(name, comparison)


def _without(name: MeasureName, comparison: Comparison) -> str:
    """What a version that has events never sends is no question of how many events there are."""
    usages = [each.usage for each in (comparison.baseline, comparison.candidate) if each.usage.events]
    return "not_sent" if any(not _count(name, usage) for usage in usages) else "too_few"


def _count(name: MeasureName, usage: Usage) -> int:
    """How many events carried it."""
    measures: dict[MeasureName, CostUsage | ScoreUsage | LatencyUsage] = {
        "cost_usd": usage.cost_usd,
        "score": usage.score,
    }
    return measures.get(name, usage.latency_ms).count


def _column_of_end(name: MeasureName, end: str) -> Callable[[Comparison], object]:
    return lambda comparison: end_of(comparison.measured.get(name), end)


def end_of(finding: Finding | None, end: str) -> float | None:
    """The `estimate`, `low` or `high` of an interval, of ratios as a share; None where it is not known, or infinite."""
    if finding is None or finding.interval is None or finding.verdict == "too_few":
        return None
    value: float = getattr(finding.interval, end)
    if not math.isfinite(value) or value > 700:
        return None
    return round(math.expm1(value), 6) if finding.is_ratio else round(value, 6)
