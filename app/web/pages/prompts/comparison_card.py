"""The part of a prompt's page that says which of two versions to ship."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from app.core.analytics.margins import Source
from app.core.analytics.prompt_overview import Choice, PromptOverview
from app.core.queries.overviews import VersionSeen
from app.core.visible_text import version_labels
from app.web.pages.prompts.comparison_charts import LatencyChart, Shrinking, latencies_of, shrinking_of
from app.web.pages.prompts.comparison_words import Verdict, verdict_of
from app.web.pages.prompts.measure_words import Row, rows_of

SAME_TWICE = "These are one and the same version: choose two different ones."
NONE_OLDER = "There is no version to compare this one with: choose another one."
OF_MARGINS: dict[Source, str] = {"prompt": "of this prompt", "project": "of the project", "default": "by default"}


class _Named(Protocol):
    """A version, however it is read."""

    @property
    def version_hash(self) -> str: ...

    @property
    def name(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Option:
    """A version that can be chosen."""

    version_hash: str
    label: str


@dataclass(frozen=True, slots=True)
class ComparisonCard:
    """`baseline` and `candidate` are the hashes of the versions that are compared, or were chosen.

    `problem` says why nothing is compared, where it is not.
    """

    options: list[Option]
    baseline: str | None
    candidate: str | None
    labels: tuple[str, str]
    problem: str | None
    verdict: Verdict | None = None
    rows: tuple[Row, ...] = ()
    shrinking: Shrinking | None = None
    latencies: LatencyChart | None = None


def comparison_card(found: PromptOverview, choice: Choice, labels: Mapping[str, str]) -> ComparisonCard | None:
    """None where the prompt has one version alone. `labels` are those of the page, by hash."""
    if len(found.choices) < 2:
        return None
    comparison = found.comparison
    if comparison is None:
        chosen = choice.baseline or choice.candidate
        problem = SAME_TWICE if choice.baseline == choice.candidate else NONE_OLDER
        return ComparisonCard(
            options_of(found.choices, labels), choice.baseline or chosen, choice.candidate, ("", ""), problem
        )
    baseline, candidate = comparison.baseline, comparison.candidate
    options = options_of(found.choices, labels)
    for version in (candidate, baseline):
        if version.version_hash not in {option.version_hash for option in options}:
            options.append(Option(version.version_hash, labels[version.version_hash]))
    return ComparisonCard(
        options,
        baseline.version_hash,
        candidate.version_hash,
        (labels[baseline.version_hash], labels[candidate.version_hash]),
        None,
        verdict_of(comparison, labels),
        tuple(rows_of(comparison)),
        shrinking_of(comparison),
        latencies_of(comparison),
    )


def options_of(versions: list[VersionSeen], labels: Mapping[str, str]) -> list[Option]:
    return [Option(version.version_hash, labels[version.version_hash]) for version in versions]


def labels_of(*groups: Iterable[_Named]) -> dict[str, str]:
    """The labels of all versions that stand on a page together."""
    return version_labels((version.version_hash, version.name) for group in groups for version in group)
