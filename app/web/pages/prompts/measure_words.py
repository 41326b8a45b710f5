"""What is known of one measure of two versions, in words and for a table."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from app.core.analytics.comparison import MEASURES, MeasureName
from app.core.analytics.decision import FEWEST_EVENTS, Finding
from app.core.analytics.margins import NOT_PART
from app.core.analytics.version_comparison import Comparison
from app.web.pages.layout.exact import exact_count
from app.web.pages.layout.formatting import NO_DATA, duration, money, score, signed_percent, signed_score

State = Literal["better", "worse", "slightly_worse", "harmless", "open", "too_few"]
"""What a measure says of the candidate. Slightly worse, harmless: by no more than the margin; open: not known yet."""

NOT_KNOWN = "not known yet"
_LARGEST_SHARE = 10.0
_SPACE = "\N{NO-BREAK SPACE}"


class Vocabulary(NamedTuple):
    """How a measure is called, and what a version is with less or more of it; `where` follows these in a sentence.

    `figure` names the number of a version that a difference is of, where the label does not, and `text` writes it.
    """

    label: str
    noun: str
    lower: str
    higher: str
    where: str
    figure: str
    text: Callable[[float], str]


VOCABULARY: dict[MeasureName, Vocabulary] = {
    "cost_usd": Vocabulary("Cost", "cost", "cheaper", "more expensive", "", "mean", money),
    "latency_ms": Vocabulary("Latency, typical", "latency", "faster", "slower", "", "geometric mean", duration),
    "latency_p95_ms": Vocabulary("Latency, p95", "p95 latency", "faster", "slower", " at p95", "", duration),
    "score": Vocabulary("Score", "score", "lower", "higher", " in score", "mean", score),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A measure of both versions. `figure`: what the numbers are. `judgement`: good, bad or "", of `verdict`."""

    label: str
    figure: str
    baseline: str
    candidate: str
    difference: str
    interval: str
    margin: str
    verdict: str
    judgement: str


def rows_of(comparison: Comparison) -> list[Row]:
    """Of the measures that the versions have, the first first."""
    measured = comparison.measured
    return [_row(comparison, name, measured[name]) for name in MEASURES if name in measured]


def state_of(finding: Finding) -> State:
    if finding.verdict == "too_few" or finding.interval is None:
        return "too_few"
    low, high = finding.interval.low, finding.interval.high
    best, worst = (low, high) if finding.lower_is_better else (-high, -low)
    if worst < 0:
        return "better"
    if worst <= finding.margin:
        return "slightly_worse" if best > 0 else "harmless"
    return "worse" if best > 0 else "open"


def is_within_margin(finding: Finding) -> bool:
    """Whether a difference, if there is one, is too small to matter either way."""
    interval = finding.interval
    return interval is not None and finding.verdict != "too_few" and max(-interval.low, interval.high) <= finding.margin


def difference_words(name: MeasureName, finding: Finding) -> str:
    """The difference with its interval: "12 % cheaper (9 to 15 %)"."""
    assert finding.interval is not None
    words = VOCABULARY[name]
    estimate = finding.interval.estimate
    direction = words.lower if estimate < 0 else words.higher
    about, within = size(finding, estimate), interval_text(finding)
    return f"{about} {direction}{words.where}" + (f" ({within})" if within not in ("", about) else "")


def interval_words(name: MeasureName, finding: Finding) -> str:
    """The interval as a sentence says it: "9 to 15 % cheaper", "2 % faster to 4 % slower"."""
    if finding.interval is None:
        return NOT_KNOWN
    low, high = finding.interval.low, finding.interval.high
    words = VOCABULARY[name]
    if low == -math.inf and high == math.inf:
        return NOT_KNOWN
    if low > 0 or high < 0:
        direction = words.higher if low > 0 else words.lower
        return f"{_span(finding)} {direction}"
    if math.isinf(low):
        return f"at most {size(finding, high)} {words.higher}"
    if math.isinf(high):
        return f"at most {size(finding, low)} {words.lower}"
    return f"{size(finding, low)} {words.lower} to {size(finding, high)} {words.higher}"


def interval_text(finding: Finding) -> str:
    """Of a clear difference, the sizes alone: "9 to 15 %"; else nothing."""
    interval = finding.interval
    if interval is None or interval.low <= 0 <= interval.high:
        return ""
    return _span(finding)


def size(finding: Finding, value: float) -> str:
    """How much it is, without a sign, of a bound or an estimate: "12 %", "0.030"."""
    if not finding.is_ratio:
        return _unsigned(signed_score(value)) if abs(value) >= 0.0005 or not value else f"under{_SPACE}0.001"
    part = math.expm1(min(value, 700.0))
    if part > _LARGEST_SHARE:
        return f"over{_SPACE}1,000{_SPACE}%"
    return _unsigned(signed_percent(part)) if abs(part) >= 0.0005 or not part else f"under{_SPACE}0.1{_SPACE}%"


def margin_words(finding: Finding) -> str:
    return size(finding, finding.margin)


def count_words(finding: Finding) -> str:
    """How many values both versions have."""
    return f"{exact_count(finding.counts[0])} and {exact_count(finding.counts[1])}"


def _span(finding: Finding) -> str:
    """From the bound that is nearer to no difference to the other one."""
    assert finding.interval is not None
    near, far = sorted((finding.interval.low, finding.interval.high), key=abs)
    if math.isinf(far) and math.isfinite(near):
        return f"at least {size(finding, near)}"
    first, last = size(finding, near), size(finding, far)
    if first == last:
        return first
    unit = f"{_SPACE}%"
    return f"{first.removesuffix(unit) if last.endswith(unit) else first} to {last}"


def _row(comparison: Comparison, name: MeasureName, finding: Finding) -> Row:
    words = VOCABULARY[name]
    counts = name in comparison.findings
    verdict, judgement = _verdict(finding) if counts else (NOT_PART, "")
    baseline, candidate = map(words.text, finding.figures) if finding.figures else (NO_DATA, NO_DATA)
    return Row(
        label=words.label,
        figure=words.figure,
        baseline=baseline,
        candidate=candidate,
        difference=_signed(finding),
        interval=interval_words(name, finding) if finding.verdict != "too_few" else NO_DATA,
        margin=margin_words(finding) if counts else NO_DATA,
        verdict=verdict,
        judgement=judgement,
    )


def _signed(finding: Finding) -> str:
    if finding.interval is None or finding.verdict == "too_few":
        return NO_DATA
    estimate = finding.interval.estimate
    return signed_percent(math.expm1(min(estimate, 700.0))) if finding.is_ratio else signed_score(estimate)


def _verdict(finding: Finding) -> tuple[str, str]:
    """In words, and whether that is good or bad."""
    state = state_of(finding)
    if state == "too_few":
        return f"too few events: {count_words(finding)} of {FEWEST_EVENTS} each", ""
    if is_within_margin(finding) and state in ("harmless", "slightly_worse"):
        return "no difference that matters", ""
    return {
        "better": ("better", "good"),
        "worse": ("worse", "bad"),
        "slightly_worse": ("worse, but within the margin", ""),
        "harmless": ("not worse by more than the margin", ""),
        "open": ("can't tell yet", ""),
    }[state]


def _unsigned(text: str) -> str:
    return text[1:] if text[:1] in ("+", "\N{MINUS SIGN}") else text
