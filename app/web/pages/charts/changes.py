"""How the pages write what has changed, and with what it is compared."""

from collections.abc import Mapping

from app.core.analytics.decision import Finding
from app.core.analytics.past import WEEK, Past
from app.core.analytics.prompt_changes import ChangeMeasure
from app.web.pages.layout.formatting import Change, signed_ratio, signed_score

MEASURE_WORDS: Mapping[ChangeMeasure, str] = {
    "cost_usd": "cost",
    "latency_p50_ms": "p50",
    "latency_p95_ms": "p95",
    "score": "score",
}


def change_of(finding: Finding | None) -> Change | None:
    """Coloured only where it is clear; None where there is nothing to tell."""
    if finding is None or finding.interval is None:
        return None
    text = signed_ratio(finding.interval.estimate) if finding.is_ratio else signed_score(finding.interval.estimate)
    size = text.lstrip("+\N{MINUS SIGN}")
    if finding.verdict not in ("lower", "higher"):
        return Change(text, f"{size} {'lower' if text != size and text[0] != '+' else 'higher'}, not clear", "")
    is_good = (finding.verdict == "lower") == finding.lower_is_better
    return Change(text, f"{size} {finding.verdict}", "good" if is_good else "bad")


def compared_with(past: Past) -> str:
    """In a sentence, after "against"."""
    if past.weeks_back > 1:
        return f"the same weekdays {past.weeks_back} weeks before"
    hours = "" if past.seen.end - past.seen.start == WEEK else "same hours of the "
    if len(past.windows) == 1:
        return f"the {hours}week before"
    return f"the {hours}{len(past.windows)} weeks before, on average"


def clearest(changes: Mapping[ChangeMeasure, Finding]) -> tuple[ChangeMeasure, Finding] | None:
    """Of the clear ones that which matters most; None where none is clear."""
    clear = [each for each in changes.items() if each[1].verdict in ("lower", "higher")]
    return max(clear, key=lambda each: abs(worsening(each[1])), default=None)


def worsening(finding: Finding) -> float:
    """How many times what matters at least it has become worse; negative for better."""
    assert finding.interval is not None
    worse = finding.interval.estimate if finding.lower_is_better else -finding.interval.estimate
    return worse / finding.margin
