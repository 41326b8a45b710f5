"""The list of what has changed in a project, in words."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core.analytics.comparison import MeasureName
from app.core.analytics.decision import Decision, Finding
from app.core.analytics.moved import Moved, MovedMeasure
from app.core.analytics.project_changes import MovedPrompt, NewVersion, ProjectChanges
from app.core.analytics.spend import Spend
from app.core.analytics.version_comparison import Comparison
from app.core.visible_text import version_labels, visible_text
from app.web.pages.layout.formatting import duration, listed, money, score, signed_ratio, signed_score
from app.web.pages.prompts.undecided_words import how_far

MOST_LINES = 5
"""Of versions, and of prompts that moved."""

_VERDICTS: dict[Decision, tuple[str, str]] = {
    "better": ("better", "good"),
    "worse": ("worse", "bad"),
    "mixed": ("mixed", "warn"),
    "no_difference": ("no difference", ""),
    "undecided": ("can\N{RIGHT SINGLE QUOTATION MARK}t tell yet", ""),
}
_METRICS: dict[MovedMeasure, str] = {"cost_usd": "cost", "latency_p95_ms": "p95", "score": "score"}


@dataclass(frozen=True, slots=True)
class Line:
    """A change.

    `badge` tells it in a word, `kind` gives that its colour; `subject` leads to `endpoint` with these `arguments`, and
    `text` goes on after it.
    """

    key: str
    badge: str
    kind: str
    subject: str
    text: str
    endpoint: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChangeList:
    """`further`: the other prompts with a new version. `more_moved`: how many prompts that moved are left out.

    `nothing`: what is said where there are neither versions nor moves.
    """

    lines: list[Line]
    further: list[Line]
    more_moved: int
    nothing: str | None


def change_list(changes: ProjectChanges) -> ChangeList:
    versions = [_version_line(version) for version in changes.versions]
    lines = versions[:MOST_LINES]
    lines += [_moved_line(prompt) for prompt in changes.moved[:MOST_LINES]]
    if changes.spend:
        lines.append(_spend_line(changes.spend))
    nothing = "Nothing has changed: no new version in 14 days, and no prompt has moved against its own past."
    more_moved = max(0, len(changes.moved) - MOST_LINES)
    return ChangeList(lines, versions[MOST_LINES:], more_moved, nothing if changes.nothing else None)


def _version_line(new: NewVersion) -> Line:
    subject = _prompt(new.prompt_id, new.prompt_name)
    versions = [(new.version.version_hash, new.version.name)]
    if new.comparison:
        versions.append((new.comparison.baseline.version_hash, new.comparison.baseline.name))
    labels = version_labels(versions)
    version = labels[new.version.version_hash]
    key, page = f"version-{new.prompt_id}", "pages_prompt.prompt"
    if new.comparison is None:
        return Line(key, "new", "", subject, f"has the new version {version}.", page, {"prompt_id": new.prompt_id})
    badge, kind = _VERDICTS[new.comparison.decision]
    text = f"{version} {_verdict_words(new.comparison, labels[new.comparison.baseline.version_hash])}"
    return Line(key, badge, kind, subject, text, page, {"prompt_id": new.prompt_id})


def _verdict_words(comparison: Comparison, older: str) -> str:
    clear = listed([_phrase(name, each) for name, each in comparison.findings.items() if _is_clear(each)])
    how = "" if comparison.kind == "side_by_side" else " (before and after the change)"
    if comparison.decision == "undecided":
        so_far = f"; so far it {clear}" if clear else ""
        return f"against {older}: {_still_needed(comparison)}{so_far}{how}."
    if comparison.decision == "no_difference":
        return f"against {older}: no difference that matters{how}."
    return f"{clear} than {older}{how}."


def _still_needed(comparison: Comparison) -> str:
    if comparison.events_needed is None:
        return "nothing can be told yet"
    return how_far(comparison)


def _is_clear(finding: Finding) -> bool:
    return finding.verdict in ("lower", "higher")


def _phrase(measure: MeasureName, finding: Finding) -> str:
    """What the newer version does."""
    assert finding.interval is not None
    is_lower = finding.verdict == "lower"
    if measure == "score":
        return f"scores {_size(signed_score(finding.interval.estimate))} {'lower' if is_lower else 'higher'}"
    size = _size(signed_ratio(finding.interval.estimate))
    return {
        "cost_usd": f"costs {size} {'less' if is_lower else 'more'} per event",
        "latency_ms": f"is {size} {'faster' if is_lower else 'slower'}",
        "latency_p95_ms": f"has a p95 latency {size} {'shorter' if is_lower else 'longer'}",
    }[measure]


def _moved_line(prompt: MovedPrompt) -> Line:
    worse = {move.is_worse for move in prompt.moves}
    badge, kind = ("mixed", "warn") if len(worse) > 1 else ("worse", "bad") if worse == {True} else ("better", "good")
    most = max(prompt.moves, key=lambda move: move.size)
    arguments = {"prompt_id": prompt.prompt_id, "range": "90d", "metric": _METRICS[most.measure]}
    return Line(
        f"moved-{prompt.prompt_id}",
        badge,
        kind,
        _prompt(prompt.prompt_id, prompt.prompt_name),
        f"{listed([_move(each) for each in prompt.moves])} in the last 7 complete days, against the 28 before.",
        "pages_prompt.prompt",
        arguments,
    )


def _move(move: Moved) -> str:
    if move.measure == "score":
        size, values = _size(signed_score(move.estimate)), (score(move.before), score(move.after))
        return f"scored {size} {'lower' if move.estimate < 0 else 'higher'} ({values[0]} to {values[1]})"
    size, is_lower = _size(signed_ratio(move.estimate)), move.estimate < 0
    if move.measure == "cost_usd":
        told = f"cost {size} {'less' if is_lower else 'more'} per event"
        return f"{told} ({money(move.before)} to {money(move.after)})"
    told = f"had a p95 latency {size} {'shorter' if is_lower else 'longer'}"
    return f"{told} ({duration(move.before)} to {duration(move.after)})"


def _spend_line(spend: Spend) -> Line:
    badge, kind = _budget_verdict(spend)
    text = f"has cost {money(spend.spent_usd)} so far"
    if spend.forecast:
        ends = f"{money(spend.forecast.low)} to {money(spend.forecast.high)}"
        text += f", and about {money(spend.forecast.usd)} at its end if all goes on as in the last 28 days ({ends})"
    if spend.budget_usd is not None:
        text += f", of a budget of {money(spend.budget_usd)}"
    start = {"from": spend.month_start.strftime("%Y-%m-%dT%H:%M"), "_anchor": "chart-cost"}
    return Line("spend", badge, kind, f"{spend.month_start:%B}", f"{text}.", "pages_dashboard.dashboard", start)


def _budget_verdict(spend: Spend) -> tuple[str, str]:
    if spend.budget_usd is None:
        return "spend", ""
    if spend.spent_usd > spend.budget_usd:
        return "over budget", "bad"
    if spend.forecast is None:
        return "spend", ""
    if spend.forecast.low > spend.budget_usd:
        return "will pass its budget", "bad"
    return ("may pass its budget", "warn") if spend.forecast.high > spend.budget_usd else ("within budget", "good")


def _prompt(prompt_id: UUID, name: str | None) -> str:
    return visible_text(name or str(prompt_id))


def _size(signed: str) -> str:
    return signed.lstrip("+\N{MINUS SIGN}")
