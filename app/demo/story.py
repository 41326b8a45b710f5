"""What happened to the prompts of the demo: who used them, and which version took over when and why.

The story itself stands in story.toml. Moments are days before its end, and it is thirty days long; shorter histories
are told faster.
"""

import tomllib
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

STORY_DAYS = 30.0


class Model(NamedTuple):
    """Speed and prices of a language model; the prices are for a million tokens."""

    first_token_ms: float
    output_token_ms: float
    input_usd: float
    output_usd: float


@dataclass(frozen=True)
class Version:
    """How one version behaves. `score` is the mean of a score from 0 to 1; None: nobody scores this prompt.

    From `began` to `done` its share of what newer versions leave rises to `share`, until it is `taken_back`.
    """

    name: str
    model: Model
    input_tokens: float
    output_tokens: float
    score: float | None = None
    began: float = STORY_DAYS + 2
    done: float = STORY_DAYS + 1
    share: float = 1.0
    taken_back: float = 0.0
    slower: float = 1.0

    def share_at(self, days_before_end: float) -> float:
        """From 0 to 1."""
        if self.taken_back and days_before_end <= self.taken_back:
            return 0.0
        return self.share * min(1.0, max(0.0, (self.began - days_before_end) / (self.began - self.done)))


@dataclass(frozen=True)
class Prompt:
    """`traffic` is its part of all events; `rhythm`, how busy each hour of a day in UTC is.

    The two last are the shares of its events that have a score and a cost.
    """

    name: str
    traffic: float
    rhythm: tuple[float, ...]
    weekend: float
    versions: tuple[Version, ...]
    scored: float = 0.6
    priced: float = 0.99

    @property
    def prompt_id(self) -> UUID:
        return uuid5(NAMESPACE_URL, f"prompt-analytics:demo:{self.name}")

    def version_hash(self, version: Version) -> str:
        """Looks like the hash of a prompt's text, and is always the same."""
        return sha256(f"{self.name}/{version.name}".encode()).hexdigest()[:16]


def _version(*, model: str, **facts: Any) -> Version:
    return Version(model=Model(**_STORY["models"][model]), **facts)


def _prompt(*, rhythm: str, versions: list[dict[str, Any]], **facts: Any) -> Prompt:
    return Prompt(
        rhythm=tuple(_STORY["rhythms"][rhythm]), versions=tuple(_version(**each) for each in versions), **facts
    )


_STORY = tomllib.loads((files("app.demo") / "story.toml").read_text())
PROMPTS = tuple(_prompt(**each) for each in _STORY["prompts"])
