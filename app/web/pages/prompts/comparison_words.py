"""Which of two versions to ship, in a few sentences. Nothing is claimed that may be chance."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from app.core.analytics.comparison import MEASURES, MeasureName
from app.core.analytics.decision import Decision, Finding
from app.core.analytics.margins import NOT_PART
from app.core.analytics.version_comparison import ComparedVersion, Comparison
from app.core.visible_text import version_labels
from app.web.pages.layout.formatting import listed
from app.web.pages.prompts.measure_words import VOCABULARY, State, difference_words, state_of
from app.web.pages.prompts.undecided_words import hours_in_common, how_long, is_unknown, why_not_yet

BADGES: dict[Decision, tuple[str, str]] = {
    "better": ("Better", "good"),
    "worse": ("Worse", "bad"),
    "mixed": ("Mixed", "warn"),
    "no_difference": ("No difference that matters", ""),
    "undecided": ("Can't tell yet", ""),
}
"""A decision in few words for a table, and the kind of its badge."""

_Known = list[tuple[MeasureName, Finding]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison says: the decision first, what else is known, and what was compared."""

    decision: Markup
    more: str
    basis: Markup
    warning: str


def verdict_of(comparison: Comparison, labels: Mapping[str, str] | None = None) -> Verdict:
    """`labels` are those of a page with more versions, by their hashes."""
    versions = comparison.candidate, comparison.baseline
    labels = labels or version_labels((version.version_hash, version.name) for version in versions)
    new, old = (_name_of(version, labels) for version in versions)
    known: dict[State, _Known] = {}
    for name in MEASURES:
        if name in comparison.findings:
            known.setdefault(state_of(comparison.findings[name]), []).append((name, comparison.findings[name]))
    decision, more = {
        "better": _better,
        "worse": _worse,
        "mixed": _mixed,
        "no_difference": _no_difference,
        "undecided": _undecided,
    }[comparison.decision](comparison, new, old, known)
    more = _joined(more, _left_out(comparison))
    warning = "Other things may have changed with it." if comparison.kind == "before_after" else ""
    return Verdict(decision, more, _basis(comparison, new, old), warning)


def _name_of(version: ComparedVersion, labels: Mapping[str, str]) -> Markup:
    """A version in a sentence, whatever its name does to the direction of writing."""
    return Markup('<bdi class="strong">{}</bdi>').format(labels[version.version_hash])


def _better(_comparison: Comparison, new: Markup, old: Markup, known: dict[State, _Known]) -> tuple[Markup, str]:
    found = listed([difference_words(*each) for each in known["better"]])
    harmless = [_worse_word(name) for name, _ in known.get("harmless", [])]
    if len(harmless) == 1:
        found += f", and not {harmless[0]} by more than your margin"
    elif harmless:
        found += f", and neither {', '.join(harmless[:-1])} nor {harmless[-1]} by more than your margins"
    return Markup("{} is {} than {}: {}.").format(new, _coloured("better", "good"), old, found), _slightly(known)


def _worse(_comparison: Comparison, new: Markup, old: Markup, known: dict[State, _Known]) -> tuple[Markup, str]:
    found = listed([difference_words(*each) for each in known["worse"]])
    return Markup("{} is {} than {}: {}.").format(new, _coloured("worse", "bad"), old, found), _joined(
        _slightly(known), _unclear(known)
    )


def _mixed(_comparison: Comparison, new: Markup, old: Markup, known: dict[State, _Known]) -> tuple[Markup, str]:
    good, bad = (listed([difference_words(*each) for each in known[state]]) for state in ("better", "worse"))
    sentence = Markup("{} is {} against {}: {}, but {}.").format(new, _coloured("mixed", "mixed"), old, good, bad)
    return sentence, _joined(_slightly(known), _unclear(known))


def _no_difference(_comparison: Comparison, new: Markup, old: Markup, known: dict[State, _Known]) -> tuple[Markup, str]:
    nouns = [
        VOCABULARY[name].noun for name in MEASURES if any(name == each for part in known.values() for each, _ in part)
    ]
    verb = "differs" if len(nouns) == 1 else "differ"
    margins = "your margin" if len(nouns) == 1 else "your margins"
    sentence = Markup("There is no difference that matters between {} and {}: {} {} by less than {}.")
    return sentence.format(new, old, listed(nouns), verb, margins), ""


def _undecided(comparison: Comparison, new: Markup, old: Markup, known: dict[State, _Known]) -> tuple[Markup, str]:
    why = why_not_yet(comparison, new, old)
    sentence = Markup("Can't tell yet whether {} is better than {}: {}.").format(new, old, why)
    if known.keys() <= {"too_few"} or _is_endless(known):
        return sentence, ""
    parts = []
    if better := known.get("better"):
        parts.append(f"It is clearly {listed([difference_words(*each) for each in better])} already.")
    if may_be := known.get("open"):
        parts.append(
            f"It may still be {listed([_worse_word(name) for name, _ in may_be], 'or')} by more than your "
            f"{'margin' if len(may_be) == 1 else 'margins'}."
        )
    return sentence, _joined(*parts, _slightly(known), _too_few(known))


def _coloured(word: str, kind: str) -> Markup:
    return Markup('<span class="decision {}">{}</span>').format(kind, word)


def _basis(comparison: Comparison, new: Markup, old: Markup) -> Markup:
    """What was compared with what; nothing where nothing was."""
    if not comparison.evidence.have_common_hours:
        return Markup()
    (newer, after), (older, _) = sorted(
        ((new, comparison.candidate), (old, comparison.baseline)), key=lambda each: each[1].first_seen, reverse=True
    )
    if comparison.kind == "side_by_side":
        sentence = Markup("Compared side by side, hour by hour, in the {} that both have since {}.")
        return sentence.format(hours_in_common(comparison), _day(after))
    assert after.start is not None
    assert after.end is not None
    span = how_long((after.end - after.start).total_seconds() / 86_400)
    sentence = Markup("Compared before and after: {} in the {} since it came on {}, {} in the time before.")
    return sentence.format(newer, span, _day(after), older)


def _day(version: ComparedVersion) -> str:
    return f"{version.first_seen.day}\N{NO-BREAK SPACE}{version.first_seen:%B}"


def _worse_word(name: MeasureName) -> str:
    words = VOCABULARY[name]
    return (words.lower if name == "score" else words.higher) + words.where


def _slightly(known: dict[State, _Known]) -> str:
    found = known.get("slightly_worse", [])
    if not found:
        return ""
    margins = "your margin" if len(found) == 1 else "your margins"
    return f"It is {listed([difference_words(*each) for each in found])}, which is within {margins}."


def _unclear(known: dict[State, _Known]) -> str:
    nouns = [VOCABULARY[name].noun for state in ("harmless", "open") for name, _ in known.get(state, [])]
    return _joined(f"There is no clear difference in {listed(nouns)}." if nouns else "", _too_few(known))


def _too_few(known: dict[State, _Known]) -> str:
    nouns = [VOCABULARY[name].noun for name, _ in known.get("too_few", [])]
    return f"Too few events carry a {listed(nouns, 'or a')} to tell more." if nouns else ""


def _left_out(comparison: Comparison) -> str:
    nouns = [VOCABULARY[name].noun for name in MEASURES if name in comparison.left_out]
    verb = "is" if len(nouns) == 1 else "are"
    return f"{listed(nouns).capitalize()} {verb} {NOT_PART}: no margin is set." if nouns else ""


def _is_endless(known: dict[State, _Known]) -> bool:
    return all(is_unknown(finding) for part in known.values() for _, finding in part)


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
