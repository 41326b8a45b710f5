"""Why it can't be told yet which of two versions is better, and how much more it takes."""

import math

from markupsafe import Markup

from app.core.analytics.decision import FEWEST_EVENTS, Finding
from app.core.analytics.evidence import HOUR_SECONDS, common_seconds
from app.core.analytics.undecided import why_undecided
from app.core.analytics.version_comparison import Comparison
from app.web.pages.layout.formatting import count, listed
from app.web.pages.prompts.measure_words import VOCABULARY, count_words

# From how many days on a unit is used, and how many it has.
_UNITS = ((700.0, "year", 365.25), (60.0, "month", 30.4), (1.5, "day", 1.0), (0.0, "hour", 1 / 24))


def why_not_yet(comparison: Comparison, new: Markup, old: Markup) -> Markup:
    """What follows "Can't tell yet:". `new` and `old` are how candidate and baseline are called."""
    nothing = _why_nothing(comparison, new, old)
    if comparison.events_needed is not None:
        return Markup("; ").join(each for each in (nothing, how_far(comparison)) if each)
    return Markup("{}").format(nothing or _why_not_how_far(comparison))


def rounded(events: int) -> str:
    """To two digits."""
    digits = max(0, len(str(events)) - 2)
    return count(round(events, -digits))


def how_long(days: float) -> str:
    """In words: "3 days", "5 hours", "4 months"."""
    unit, length = next((unit, length) for at_least, unit, length in _UNITS if days >= at_least)
    number = max(1, round(days / length))
    return f"{number} {unit}{'' if number == 1 else 's'}"


def hours_in_common(comparison: Comparison) -> str:
    """In how many hours both have events."""
    hours = len(common_seconds(*comparison.evidence.arms))
    return f"{count(hours)} {'hour' if hours == 1 else 'hours'}"


def is_unknown(finding: Finding) -> bool:
    return finding.interval is None or (finding.interval.low == -math.inf and finding.interval.high == math.inf)


def how_far(comparison: Comparison) -> str:
    """How much more it takes."""
    events = f"about {rounded(comparison.events_needed or 0)} more events"
    if comparison.days_needed is None:
        return events
    return f"{events}, {how_long(comparison.days_needed)} at this rate"


def _why_not_how_far(comparison: Comparison) -> str:
    """Why it cannot be said how much more it takes."""
    open_ended = [
        VOCABULARY[name].noun
        for name, finding in comparison.findings.items()
        if finding.interval is None or math.isinf(finding.interval.high - finding.interval.low)
    ]
    if open_ended:
        return f"of {listed(open_ended)} the events so far tell too little to say how many more it takes"
    return "the difference is so close to your margins that it would take more than a thousand times the events"


def _why_nothing(comparison: Comparison, new: Markup, old: Markup) -> Markup | str:
    """Why nothing at all is known; nothing where something is."""
    findings = comparison.findings.values()
    if any(finding.verdict != "too_few" and not is_unknown(finding) for finding in findings):
        return ""
    why = why_undecided(comparison)
    if why == "no_common_hours":
        return _no_common_hours(comparison, new, old)
    if why == "no_common_measures":
        counted = "of what is part of the decision nothing" if comparison.left_out else "no cost, latency or score"
        return f"{counted} came with the events of both"
    if why == "too_few_days":
        return "days are compared with days, and one day alone tells nothing yet"
    if why != "too_few_events":
        return ""
    most = max(findings, key=lambda finding: min(finding.counts))
    where = ""
    if comparison.kind == "side_by_side":
        where = f" in the {hours_in_common(comparison)} that both have"
    return f"too few events{where} ({count_words(most)}), and nothing is said below {FEWEST_EVENTS} of each"


def _no_common_hours(comparison: Comparison, new: Markup, old: Markup) -> Markup:
    newer, older = (new, old) if comparison.candidate.first_seen >= comparison.baseline.first_seen else (old, new)
    last = max(int(each.seconds.max(initial=0)) for each in comparison.evidence.arms)
    if last < max(comparison.evidence.phases) + HOUR_SECONDS:
        return Markup("{} has no events after its first hour yet").format(newer)
    return Markup("they have no hour in common, and {} had no events in the time before {} came").format(older, newer)
