"""How pages name and tell news."""

from collections.abc import Mapping
from typing import Any

from app.core.news.sentences import sentence
from app.core.queries.news import NewsKind

KINDS = {
    NewsKind.VERSION_WORSE.value: "A version is worse",
    NewsKind.VERSION_BETTER.value: "A version is better",
    NewsKind.BUDGET.value: "Budget",
    NewsKind.SILENCE.value: "Silence",
    NewsKind.DEAD_LETTERS.value: "Dead letters",
    NewsKind.TEST.value: "Test",
}
TONES = {
    NewsKind.VERSION_WORSE.value: "bad",
    NewsKind.VERSION_BETTER.value: "good",
    NewsKind.BUDGET.value: "warn",
    NewsKind.SILENCE.value: "warn",
    NewsKind.DEAD_LETTERS.value: "bad",
}


def kind_label(kind: str) -> str:
    return KINDS.get(kind, kind)


def told(kind: str, payload: Mapping[str, Any]) -> str:
    """The news as a sentence of its own."""
    text = sentence(kind, payload)
    return text[:1].upper() + text[1:]


def version_hash(payload: Mapping[str, Any], part: str) -> str | None:
    """The whole hash of a version that the news is about; None where it is about none."""
    version = payload.get(part)
    return version.get("version_hash") if isinstance(version, dict) else None
