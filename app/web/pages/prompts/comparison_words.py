"""The newest version against the one before it, in words. Nothing is claimed that may be chance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.core.analytics.comparison import FEWEST_EVENTS, Difference
from app.core.analytics.version_comparison import ComparedVersion, Comparison
from app.web.pages.layout.formatting import count, duration, money, score, signed_percent, signed_score


@dataclass(frozen=True, slots=True)
class Row:
    """A measure of both versions. `interval`: the 95 % interval of the difference; `judgement`: good, bad or ""."""

    label: str
    older: str
    newer: str
    difference: str = ""
    interval: str = ""
    judgement: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """`clear`: what the newer version does ("costs 12 % less per event"), to be followed by "than" and the older one.

    `unclear` and `too_few` name measures. `too_few_events`: of one version there are so few that nothing can be told.
    """

    clear: str
    unclear: str
    too_few: str
    too_few_events: bool
    rows: list[Row]


def findings(comparison: Comparison) -> Findings:
    """What a comparison finds, leaving out what neither version has data of."""
    older, newer = comparison.older.usage, comparison.newer.usage
    measured = [
        ("cost", comparison.cost, older.cost_usd.count + newer.cost_usd.count, _cost_words),
        ("latency", comparison.latency, older.latency_ms.count + newer.latency_ms.count, _latency_words),
        ("score", comparison.score, older.score.count + newer.score.count, _score_words),
    ]
    known = [(name, difference, words) for name, difference, events, words in measured if events]
    return Findings(
        clear=_listed([words(difference) for _, difference, words in known if _is_clear(difference)]),
        unclear=_listed([name for name, difference, _ in known if difference.verdict == "no clear difference"]),
        too_few=_listed([name for name, difference, _ in known if difference.verdict == "too few"]),
        too_few_events=min(older.events, newer.events) < FEWEST_EVENTS,
        rows=_rows(comparison),
    )


def version_label(version_hash: str, name: str | None) -> str:
    """What a version is called in a sentence or a legend: its name, or its hash, shortened where it is long."""
    if name is not None:
        return name
    return version_hash if len(version_hash) <= 16 else f"{version_hash[:12]}…"


def _is_clear(difference: Difference) -> bool:
    return difference.verdict in ("lower", "higher")


def _cost_words(difference: Difference) -> str:
    direction = "less" if difference.verdict == "lower" else "more"
    if difference.estimate is None:
        return f"costs {direction} per event"
    return f"costs {_size(signed_percent(difference.estimate))} {direction} per event"


def _latency_words(difference: Difference) -> str:
    direction = "faster" if difference.verdict == "lower" else "slower"
    return f"is {_size(signed_percent(difference.estimate or 0))} {direction}"


def _score_words(difference: Difference) -> str:
    return f"scores {_size(signed_score(difference.estimate or 0))} {difference.verdict}"


def _size(signed: str) -> str:
    return signed[1:] if signed[:1] in ("+", "\N{MINUS SIGN}") else signed


def _listed(parts: Sequence[str]) -> str:
    """a, b and c."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _rows(comparison: Comparison) -> list[Row]:
    older, newer = comparison.older.usage, comparison.newer.usage
    return [
        Row("Events", count(older.events), count(newer.events)),
        Row(
            "Cost per event",
            money(older.cost_usd.mean),
            money(newer.cost_usd.mean),
            *_told(comparison.cost, signed_percent, good="lower"),
        ),
        Row(
            "Latency, p50 / p95",
            _latency(comparison.older),
            _latency(comparison.newer),
            *_told(comparison.latency, signed_percent, good="lower"),
        ),
        Row(
            "Mean score",
            score(older.score.mean),
            score(newer.score.mean),
            *_told(comparison.score, signed_score, good="higher"),
        ),
    ]


def _latency(version: ComparedVersion) -> str:
    latency = version.usage.latency_ms
    return f"{duration(latency.p50)} / {duration(latency.p95)}"


def _told(difference: Difference, text: Callable[[float], str], *, good: str) -> tuple[str, str, str]:
    """The difference, its interval and its judgement."""
    if difference.verdict == "too few":
        return "too few events", "", ""
    if difference.estimate is None or difference.low is None or difference.high is None:
        return difference.verdict, "", ""
    interval = f"{text(difference.low)} to {text(difference.high)}"
    judgement = "" if not _is_clear(difference) else "good" if difference.verdict == good else "bad"
    return text(difference.estimate), interval, judgement
