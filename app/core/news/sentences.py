"""News in one sentence, for pages and for the `text` of messages, and the page on which it can be looked at.

Payloads are read as app.core.news.findings builds them. Of one that another release has built in another way only the
kind is told: no news is ever kept back for it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from app.core.queries.news import NewsKind
from app.core.visible_text import version_labels

_MEASURES = {
    "cost_usd": "cost for each event",
    "latency_ms": "latency",
    "latency_p95_ms": "p95 latency",
    "score": "score",
}
_COMPARED = {
    "side_by_side": "in the hours in which both ran",
    "before_after": "before and after the change, when other things may have changed, too",
}
_COMPARED_VERSIONS = ("candidate", "baseline")
_PARTS = ("change", "low", "high")
MINUS = "\N{MINUS SIGN}"

Payload = Mapping[str, Any]


def sentence(kind: str, payload: Payload) -> str:
    """What happened; it goes on after the name of the project and a colon."""
    try:
        return _SENTENCES[kind](payload)
    except (KeyError, TypeError, ValueError, AttributeError):
        return f"there is news of the kind {kind}."


def page_path(kind: str, payload: Payload, project_id: int) -> str:
    """The path of the page that shows it, with its project."""
    prompt = payload.get("prompt")
    if kind in (NewsKind.VERSION_WORSE, NewsKind.VERSION_BETTER) and prompt:
        return f"/dashboard/prompts/{prompt['prompt_id']}?project={project_id}"
    path = {
        NewsKind.BUDGET.value: "/dashboard/budgets",
        NewsKind.SILENCE.value: "/dashboard",
        NewsKind.DEAD_LETTERS.value: "/dashboard/system",
        NewsKind.TEST.value: "/dashboard/webhooks",
    }.get(kind, "/dashboard/news")
    return f"{path}?project={project_id}"


def names_of_hashes(kind: str, payload: Payload) -> dict[str, str]:
    """What the sentence calls versions, by their hashes, where that is not the hash itself."""
    if kind not in (NewsKind.VERSION_WORSE, NewsKind.VERSION_BETTER):
        return {}
    try:
        return {version_hash: label for version_hash, label in _labels(payload).items() if label != version_hash}
    except (KeyError, TypeError, AttributeError):
        return {}


def _of_version(verdict: str) -> Callable[[Payload], str]:
    def write(payload: Payload) -> str:
        labels = _labels(payload)
        candidate, baseline = (labels[payload[part]["version_hash"]] for part in _COMPARED_VERSIONS)
        changes = "; ".join(map(_change, payload.get("changes", ())))
        compared = _COMPARED.get(str(payload.get("compared")), "")
        because = f": {changes}" if changes else ""
        how = f" ({compared})" if compared else ""
        if payload.get("decision") == "mixed":
            told = f"is worse than {baseline} in one way and better in another"
        else:
            told = f"is {verdict} than {baseline}"
        return f"version {candidate} of {_prompt(payload)} {told}{because}{how}."

    return write


def _of_budget(payload: Payload) -> str:
    whose = f"{_prompt(payload)} has" if payload.get("prompt") else "the project has"
    spent, budget = (_dollars(payload[name]) for name in ("spent_usd", "budget_usd"))
    reached = f"{payload['percent']} % of {budget} is reached"
    return f"{whose} spent {spent} in {payload['month']}: {reached}."


def _of_silence(payload: Payload) -> str:
    last = str(payload["last_event_at"]).replace("T", " ").replace("Z", " UTC")
    return f"no event for {payload['minutes']} minutes, since {last}. Until then there were always some."


def _of_dead_letters(payload: Payload) -> str:
    letters = int(payload["letters"])
    told = ", ".join(map(str, payload.get("reasons", ())))
    events = "1 event was" if letters == 1 else f"{letters:,} events were"
    return f"{events} set aside because they cannot be stored{f' ({told})' if told else ''}."


def _of_test(payload: Payload) -> str:
    return f"this is a test of the webhook {payload['webhook']}. All is well."


_SENTENCES: dict[str, Callable[[Payload], str]] = {
    NewsKind.VERSION_WORSE.value: _of_version("worse"),
    NewsKind.VERSION_BETTER.value: _of_version("better"),
    NewsKind.BUDGET.value: _of_budget,
    NewsKind.SILENCE.value: _of_silence,
    NewsKind.DEAD_LETTERS.value: _of_dead_letters,
    NewsKind.TEST.value: _of_test,
}


def _prompt(payload: Payload) -> str:
    prompt = payload.get("prompt") or {}
    return f"the prompt {prompt.get('name') or prompt.get('prompt_id')}"


def _labels(payload: Payload) -> dict[str, str]:
    """What both versions are called, by their hashes."""
    versions = [payload[part] for part in _COMPARED_VERSIONS]
    return version_labels((version["version_hash"], version.get("name") or None) for version in versions)


def _change(change: Payload) -> str:
    name = str(change.get("measure"))
    write = _points if name == "score" else _percent
    middle, low, high = (None if change[part] is None else write(float(change[part])) for part in _PARTS)
    told = _MEASURES.get(name, name)
    if middle is None:
        return f"{told} {'higher' if change['is_more'] else 'lower'}"
    if low is None or high is None:
        return f"{told} {middle}"
    return f"{told} {middle} (between {low} and {high})"


def _percent(part: float) -> str:
    return f"{_sign(part)}{abs(part) * 100:.3g} %"


def _points(points: float) -> str:
    return f"{_sign(points)}{abs(points):.3f}"


def _sign(number: float) -> str:
    return MINUS if number < 0 else "+"


def _dollars(value: object) -> str:
    return f"${float(str(value)):,.2f}"
