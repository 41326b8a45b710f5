"""Which version of a prompt is news: the newest against the one before it, as the page of the prompt says it."""

import math
from datetime import datetime
from typing import Literal

from app.core.analytics.comparison import MEASURES, Findings
from app.core.analytics.decision import Decision, Finding
from app.core.analytics.evidence_reading import LONGEST_COMPARISON
from app.core.analytics.margins import read_margins
from app.core.analytics.version_choice import newest_pair
from app.core.analytics.version_comparison import compare_versions
from app.core.database import Connection
from app.core.news.findings import MeasureChange, pair_of_versions, version_news
from app.core.queries.looks import ComparablePrompt
from app.core.queries.news import News, NewsKind, is_verdict_told

VersionKind = Literal[NewsKind.VERSION_WORSE, NewsKind.VERSION_BETTER]

# Where it is better in one measure and worse in another, that it is worse in one is what must not be missed.
_KINDS: dict[Decision, VersionKind] = {
    "better": NewsKind.VERSION_BETTER,
    "worse": NewsKind.VERSION_WORSE,
    "mixed": NewsKind.VERSION_WORSE,
}


def find_verdicts(connection: Connection, prompt: ComparablePrompt, now: datetime) -> list[News]:
    """None of two versions of which one was told already: what is claimed once holds for all looks."""
    newest = newest_pair(connection, prompt.project_id, prompt.prompt_key)
    if newest is None or newest.candidate.first_seen < now - LONGEST_COMPARISON:
        return []
    baseline, candidate = newest
    pair = pair_of_versions(baseline.version_hash, candidate.version_hash)
    if is_verdict_told(connection, prompt.project_id, str(prompt.prompt_id), pair):
        return []
    margins = read_margins(connection, prompt.project_id, prompt.prompt_key)
    found = compare_versions(connection, prompt.project_id, prompt.prompt_key, *newest, margins=margins, now=now)
    kind = _KINDS.get(found.decision)
    if kind is None:
        return []
    return [
        version_news(
            kind,
            project_id=prompt.project_id,
            prompt_id=prompt.prompt_id,
            prompt_name=prompt.name,
            baseline=(baseline.version_hash, baseline.name),
            candidate=(candidate.version_hash, candidate.name),
            compared=found.kind,
            decision=found.decision,
            changes=_changes(found.findings, worse_first=kind == NewsKind.VERSION_WORSE),
        )
    ]


def _changes(findings: Findings, *, worse_first: bool) -> list[MeasureChange]:
    """The clear ones, those that make it worse, or better, first."""
    clear = [(name, findings[name]) for name in MEASURES if name in findings and _is_clear(findings[name])]
    clear.sort(key=lambda each: _is_worse(each[1]) != worse_first)
    return [_change(name, finding) for name, finding in clear]


def _is_clear(finding: Finding) -> bool:
    return finding.verdict in ("lower", "higher")


def _is_worse(finding: Finding) -> bool:
    return (finding.verdict == "higher") == finding.lower_is_better


def _change(name: Literal["cost_usd", "latency_ms", "latency_p95_ms", "score"], finding: Finding) -> MeasureChange:
    interval = finding.interval
    ends = (interval.estimate, interval.low, interval.high) if interval else (math.inf,) * 3
    change, low, high = (_known(end, is_ratio=finding.is_ratio) for end in ends)
    return MeasureChange(measure=name, change=change, low=low, high=high, is_more=finding.verdict == "higher")


def _known(end: float, *, is_ratio: bool) -> float | None:
    """None for what the events can't tell, and for what no JSON number can hold."""
    try:
        value = math.expm1(end) if is_ratio else end
    except OverflowError:
        return None
    return value if math.isfinite(value) else None
