"""Which of two versions to ship, from the intervals of all measures together.

The rule is that of experiments with guardrails (Schultzberg, Ankargren and Frånberg, Risk-aware product decisions in
A/B tests with multiple metrics, 2024): a version is better where some measure is surely better, and none can be worse
by more than its margin. That it is worse is said as soon as one measure surely is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.core.analytics.confidence import Interval

FEWEST_EVENTS = 100
"""Below so many values of a version, nothing is said of the measure."""

Decision = Literal["better", "worse", "mixed", "no_difference", "undecided"]
Verdict = Literal["lower", "higher", "none", "too_few"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one measure.

    `interval` is of the difference, candidate less baseline, or, where `is_ratio`, of the logarithm of their ratio;
    None where only the direction is known, or nothing. `margin` is in the same unit, and above 0. `counts`: values of
    baseline and candidate. `figures`: what the difference is of, in the unit of the measure, baseline first.
    """

    interval: Interval | None
    counts: tuple[int, int]
    margin: float
    lower_is_better: bool
    is_ratio: bool
    figures: tuple[float, float] | None = None

    @property
    def verdict(self) -> Verdict:
        if self.interval is None or min(self.counts) < FEWEST_EVENTS:
            return "too_few"
        if self.interval.low > 0:
            return "higher"
        return "lower" if self.interval.high < 0 else "none"

    def after(self, growth: float, alpha: float) -> "Finding":
        """What it would be with so many times the events, if the estimate stayed."""
        interval = self.interval and self.interval.after(self.interval.events * growth, alpha)
        counts = int(self.counts[0] * growth), int(self.counts[1] * growth)
        return replace(self, interval=interval, counts=counts)


def decide(findings: Sequence[Finding]) -> Decision:
    """Over the measures that both versions have; without any, nothing is decided."""
    if any(finding.verdict == "too_few" for finding in findings):
        known = [finding for finding in findings if finding.verdict != "too_few"]
        return "worse" if _is_worse(known) and not _is_better(known) else "mixed" if _is_worse(known) else "undecided"
    if not findings:
        return "undecided"
    harmless = all(_worst(finding) <= finding.margin for finding in findings)
    if harmless and _is_better(findings):
        return "better"
    if harmless and all(_best(finding) >= -finding.margin for finding in findings):
        return "no_difference"
    if _is_worse(findings):
        return "mixed" if _is_better(findings) else "worse"
    return "undecided"


def _is_better(findings: Sequence[Finding]) -> bool:
    return any(_worst(finding) < 0 for finding in findings)


def _is_worse(findings: Sequence[Finding]) -> bool:
    """Whether one is surely worse, and may be so by more than its margin."""
    return any(_best(finding) > 0 and _worst(finding) > finding.margin for finding in findings)


def _worst(finding: Finding) -> float:
    """By how much it is worse at most."""
    assert finding.interval is not None
    return finding.interval.high if finding.lower_is_better else -finding.interval.low


def _best(finding: Finding) -> float:
    """By how much it is worse at least."""
    assert finding.interval is not None
    return finding.interval.low if finding.lower_is_better else -finding.interval.high
