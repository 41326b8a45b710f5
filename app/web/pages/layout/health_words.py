"""What the light in the header says, and the line that tells up to when the numbers of a page go."""

from dataclasses import dataclass
from datetime import datetime

from app.core.operations.health import Health, State, letters_in_words
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


def health_words(health: Health, now: datetime) -> HealthWords:
    word, sentence = _word_and_sentence(health)
    reasons = [(reason.text, runbook_path(reason.entry)) for reason in health.reasons]
    return HealthWords(health.state, word, sentence, reasons, _age(health, now))


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


def _age(health: Health, now: datetime) -> str:
    if not health.knows_what_waits:
        is_silent = any(reason.entry == "redis" for reason in health.reasons)
        return f"What waits to be stored is not known{': Redis does not answer' if is_silent else ''}"
    if health.waiting is None:
        return ""
    events, since = health.waiting.events, health.waiting.since
    day = "" if since.date() == now.date() else f"{since.day} {since:%b} "
    return f"Data up to {day}{since:%H:%M:%S} UTC; {events:,} event{' waits' if events == 1 else 's wait'}"
