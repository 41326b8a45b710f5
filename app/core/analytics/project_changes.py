"""What has changed in a project: new versions, prompts that have moved, and what the month costs.

It does not depend on the range that somebody looks at. Every `connection` is one of a snapshot.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import zip_longest
from uuid import UUID

from app.core.analytics.comparison import Margins, ProjectMargins
from app.core.analytics.evidence import Evidence, arm
from app.core.analytics.evidence_reading import first_seen_order
from app.core.analytics.moved import WEEKS, Moved, moved
from app.core.analytics.prompt_days import read_prompt_days
from app.core.analytics.remembered import Remembered
from app.core.analytics.spend import Spend, read_spend
from app.core.analytics.version_choice import ChosenVersions, newest_pairs
from app.core.analytics.version_comparison import Comparison, compare_versions
from app.core.contract import OTHER_PROMPT
from app.core.database import Connection
from app.core.queries.budgets import select_budget
from app.core.queries.busiest import select_busiest_prompts
from app.core.queries.changed_prompts import PromptNames, select_prompt_names, select_renewed_prompts
from app.core.queries.overviews import VersionSeen
from app.core.queries.prompt_days import select_beginning, select_expected_totals
from app.core.rollups.grains import floor_to
from app.core.rollups.rollup import WHOLE
from app.core.rollups.time_range import Part

NEW_FOR = timedelta(days=14)
MOST_COMPARED = 5
"""So many prompts with a new version are compared; the versions of others are only named."""
MOST_RENEWED = 20
MOST_PROMPTS = 300
"""So many prompts, those with the most events, are looked at for a move."""


_compared: Remembered[Comparison] = Remembered(4 * MOST_COMPARED)
"""For a minute, since pages look every five seconds and all versions together take long."""
_moved: Remembered[list[Moved]] = Remembered(100)
"""Complete days change no more, but for events that come late: those change the totals."""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """The newest version of a prompt.

    `comparison` with the one before it, its evidence left out, is None where it was not looked at.
    """

    prompt_id: UUID
    prompt_name: str | None
    version: VersionSeen
    comparison: Comparison | None


@dataclass(frozen=True, slots=True)
class MovedPrompt:
    """A prompt, and what of it has moved."""

    prompt_id: UUID
    prompt_name: str | None
    moves: list[Moved]


@dataclass(frozen=True, slots=True)
class ProjectChanges:
    """Versions with the newest first, prompts with the largest move first. No spend: there was none."""

    versions: list[NewVersion]
    moved: list[MovedPrompt]
    spend: Spend | None

    @property
    def nothing(self) -> bool:
        """Whether neither a version nor a prompt has changed."""
        return not self.versions and not self.moved


def read_project_changes(
    connection: Connection, project_id: int, *, margins: ProjectMargins, now: datetime
) -> ProjectChanges:
    return ProjectChanges(
        _new_versions(connection, project_id, margins, now),
        _moved_prompts(connection, project_id, margins, now),
        read_spend(connection, project_id, now=now, budget_usd=select_budget(connection, project_id)),
    )


def _new_versions(connection: Connection, project_id: int, margins: ProjectMargins, now: datetime) -> list[NewVersion]:
    """Those whose first event is not older than NEW_FOR."""
    renewed = select_renewed_prompts(connection, project_id, now - NEW_FOR, limit=MOST_RENEWED)
    pairs = newest_pairs(connection, project_id, [prompt.prompt_key for prompt in renewed])
    found: list[tuple[PromptNames, ChosenVersions]] = []
    for prompt in renewed:
        pair = pairs.get(prompt.prompt_key)
        if pair and pair.candidate.first_seen >= now - NEW_FOR:
            found.append((prompt, pair))
    found.sort(key=lambda each: first_seen_order(each[1].candidate), reverse=True)
    beginning = select_beginning(connection, project_id, WHOLE)
    compared = [
        _compared.get(
            (beginning, project_id, prompt.prompt_key, pair, own_margins, floor_to("minute", now)),
            partial(_verdict, connection, project_id, prompt.prompt_key, pair, margins=own_margins, now=now),
        )
        for prompt, pair in found[:MOST_COMPARED]
        for own_margins in margins.of([prompt.prompt_key])
    ]
    return [
        NewVersion(prompt.prompt_id, prompt.name, pair.candidate, comparison)
        for (prompt, pair), comparison in zip_longest(found, compared)
    ]


def _verdict(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    pair: ChosenVersions,
    *,
    margins: Margins,
    now: datetime,
) -> Comparison:
    """Without the evidence: of busy versions it has megabytes, and this is remembered."""
    found = compare_versions(connection, project_id, prompt_key, *pair, margins=margins, now=now)
    return replace(found, evidence=Evidence(found.kind, (arm(None), arm(None)), found.evidence.phases))


def _moved_prompts(
    connection: Connection, project_id: int, margins: ProjectMargins, now: datetime
) -> list[MovedPrompt]:
    end = floor_to("day", now)
    last_week = Part("day", end - timedelta(weeks=1), end)
    busiest = select_busiest_prompts(connection, project_id, [last_week], MOST_PROMPTS, None)
    only = busiest[:MOST_PROMPTS] or None
    beginning = select_beginning(connection, project_id, WHOLE)
    totals = select_expected_totals(connection, project_id, WHOLE, [(end - timedelta(weeks=WEEKS), end)])
    found = _moved.get(
        (beginning, project_id, end, totals, only and tuple(only), margins),
        lambda: moved(read_prompt_days(connection, project_id, end, weeks=WEEKS, only=only, histograms=True), margins),
    )
    moves: dict[int, list[Moved]] = {}
    for move in found:
        moves.setdefault(move.prompt_key, []).append(move)
    names = select_prompt_names(connection, project_id, list(moves)) if moves else []
    # "(other)" is whatever there was too much of: it moves with what is sent, and means nothing
    prompts = [
        MovedPrompt(each.prompt_id, each.name, moves[each.prompt_key])
        for each in names
        if each.prompt_id != OTHER_PROMPT
    ]
    return sorted(prompts, key=lambda prompt: max(move.size for move in prompt.moves), reverse=True)
