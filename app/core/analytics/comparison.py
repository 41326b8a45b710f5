"""What the events of two versions tell about each measure. Pure: `make truth` simulates exactly this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import copysign, exp, inf, log1p
from typing import Literal

from app.core.analytics.confidence import Interval
from app.core.analytics.decision import Finding
from app.core.analytics.evidence import Evidence
from app.core.analytics.strata import Contrast, contrast
from app.core.analytics.tail import tail_contrast

ALPHA = 0.05
"""The probability that any claim of one comparison is chance, however often it is looked at."""

UNSEEN_LATENCY = 1.0
"""A natural logarithm: where all latencies are equal, one that is e times as long is still to be expected."""

MeasureName = Literal["cost_usd", "latency_ms", "latency_p95_ms", "score"]
MEASURES: tuple[MeasureName, ...] = ("cost_usd", "latency_ms", "latency_p95_ms", "score")


@dataclass(frozen=True, slots=True)
class Margins:
    """How much worse a version may be without it mattering: shares (0.05 is 5 %), but for `score`.

    None: the measure is not part of the decision.
    """

    cost_usd: float | None = 0.05
    latency_ms: float | None = 0.05
    latency_p95_ms: float | None = 0.10
    score: float | None = 0.02

    def of(self, name: MeasureName) -> float:
        """Where the measure is not part of the decision, by default: so that its size can still be told."""
        own: float | None = getattr(self, name)
        default: float = getattr(DEFAULT_MARGINS, name)
        return default if own is None else own


DEFAULT_MARGINS = Margins()


@dataclass(frozen=True, slots=True)
class ProjectMargins:
    """Those of a project, and by key those of its prompts that have their own."""

    whole: Margins = DEFAULT_MARGINS
    own: tuple[tuple[int, Margins], ...] = ()

    def of(self, prompt_keys: Sequence[int]) -> list[Margins]:
        """In the order of the keys."""
        own = dict(self.own)
        return [own.get(key, self.whole) for key in prompt_keys]


NONE_SET = ProjectMargins()

Findings = Mapping[MeasureName, Finding]


def alpha_of_claim(candidates: int) -> float:
    """By Bonferroni: ALPHA for all measures of all versions that are compared with one baseline together."""
    return ALPHA / (len(MEASURES) * max(candidates, 1))


def find(evidence: Evidence, margins: Margins, alpha: float) -> Findings:
    """Of each measure that both versions sent while they are compared, whether it is part of the decision or not.

    Cost as the ratio of means, latency as that of geometric means and of 95th percentiles, score as the difference of
    means.
    """
    days_apart = evidence.kind == "before_after"
    costs = evidence.pair("cost_usd")
    cost = contrast(costs, alpha=alpha, is_ratio=True, days_apart=days_apart) or _direction(
        contrast(costs, alpha=alpha, is_ratio=False, days_apart=days_apart)
    )
    latency = contrast(
        evidence.pair("latency_ms"), alpha=alpha, is_ratio=False, days_apart=days_apart, unseen=UNSEEN_LATENCY
    )
    score = contrast(evidence.pair("score"), alpha=alpha, is_ratio=False, days_apart=days_apart)
    tail = tail_contrast(*evidence.tails(), latency) if latency else None
    found: dict[MeasureName, Finding] = {}
    if cost:
        found["cost_usd"] = _finding(cost, cost.interval, log1p(margins.of("cost_usd")), cost.means)
    if latency:
        typical = (exp(latency.means[0]), exp(latency.means[1]))
        found["latency_ms"] = _finding(latency, latency.interval, log1p(margins.of("latency_ms")), typical)
    if latency and tail:
        found["latency_p95_ms"] = _finding(latency, tail, log1p(margins.of("latency_p95_ms")), tail.percentiles)
    if score:
        found["score"] = _finding(score, score.interval, margins.of("score"), score.means, is_ratio=False)
    return found


def counted(findings: Findings, margins: Margins) -> Findings:
    """Those that are part of the decision."""
    return {name: finding for name, finding in findings.items() if getattr(margins, name) is not None}


def _direction(difference: Contrast | None) -> Contrast | None:
    """Where a version is free there is no ratio of costs: any other cost is more by any margin."""
    if difference is None:
        return None
    known = difference.interval
    estimate, low, high = (copysign(inf, end) if end else 0.0 for end in (known.estimate, known.low, known.high))
    return replace(difference, interval=Interval(estimate, low, high, known.events))


def _finding(
    contrast: Contrast, interval: Interval, margin: float, figures: tuple[float, float], *, is_ratio: bool = True
) -> Finding:
    return Finding(interval, contrast.counts, margin, lower_is_better=is_ratio, is_ratio=is_ratio, figures=figures)
