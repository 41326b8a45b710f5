"""What the light in the header says, and the line that tells up to when the numbers of a page go."""

from dataclasses import dataclass
from datetime import datetime

from app.core.operations.health import WAITING_SECONDS, Health, State, letters_in_words
from app.core.runbook import runbook_path

MEANING_PATH = "/docs/dashboard#the-light-in-the-header"


@dataclass(frozen=True, slots=True)
class HealthWords:
    """`word`: the light in a word or two. `age`: up to when the data goes; empty where it goes up to now.

    `reasons`: each with the path of its entry of the runbook.
    """

    state: State
    word: str
    sentence: str
    reasons: list[tuple[str, str]]
    age: str


def health_words(health: Health, now: datetime, stored_until: datetime | None = None) -> HealthWords:
    """`stored_until`: of what was stored later some may be missing, because a replica was read; None where none was."""
    word, sentence = _word_and_sentence(health)
    reasons = [(reason.text, runbook_path(reason.entry)) for reason in health.reasons]
    return HealthWords(health.state, word, sentence, reasons, _age(health, now, stored_until))


def heading_of(health: Health) -> str:
    """What the system page begins with."""
    if health.state == "ok":
        return "All is well"
    needs_nobody = health.state == "delayed" and not health.dead_letters
    return "Events are late" if needs_nobody else "Something needs you"


def _word_and_sentence(health: Health) -> tuple[str, str]:
    if health.state == "broken":
        return "Broken", "Something keeps events from being taken, stored or shown, or was lost."
    if health.waiting:
        return "Delayed", "Events are taken, and reach the numbers later than usual."
    if health.state == "delayed":
        return (
            f"{letters_in_words(health.dead_letters or 0)} set aside",
            "Events flow, but for those that could not be stored.",
        )
    return "OK", "Events flow: nothing waits, and nothing is missing."


def _age(health: Health, now: datetime, stored_until: datetime | None) -> str:
    if not health.knows_what_waits:
        is_silent = any(reason.entry == "redis" for reason in health.reasons)
        return f"What waits to be stored is not known{': Redis does not answer' if is_silent else ''}"
    ends, why = [], []
    if health.waiting is not None:
        events = health.waiting.events
        ends.append(health.waiting.since)
        why.append(f"{events:,} event{' waits' if events == 1 else 's wait'}")
    if stored_until is not None:
        ends.append(stored_until)
        if (now - stored_until).total_seconds() > WAITING_SECONDS:
            why.append("the replica is behind")
    if not why:
        return ""
    end = min(ends)
    day = "" if end.date() == now.date() else f"{end.day} {end:%b} "
    return f"Data up to {day}{end:%H:%M:%S} UTC; {', '.join(why)}"
