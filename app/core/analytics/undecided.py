"""Why nothing is decided yet."""

from typing import Literal

from app.core.analytics.confidence import FEWEST_DAYS
from app.core.analytics.version_comparison import Comparison

WhyUndecided = Literal["no_common_hours", "no_common_measures", "too_few_events", "too_few_days", "not_clear_yet"]


def why_undecided(comparison: Comparison) -> WhyUndecided | None:
    """The first thing that is missing; None where something is decided.

    `no_common_hours`: nor hours of the day that the older version has before the newer one began, and the newer one
    after its first hour. `too_few_days`: before and after are compared by days, and there is one alone.
    """
    if comparison.decision != "undecided":
        return None
    findings = comparison.findings.values()
    if not findings:
        return "no_common_measures" if comparison.evidence.have_common_hours else "no_common_hours"
    if any(finding.verdict == "too_few" for finding in findings):
        return "too_few_events"
    days = [finding.interval.days for finding in findings if finding.interval]
    return "too_few_days" if any(each is not None and each < FEWEST_DAYS for each in days) else "not_clear_yet"
