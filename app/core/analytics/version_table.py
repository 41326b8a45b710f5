"""All versions of a prompt against one of them. The `connection` is one of a snapshot."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.analytics.evidence_reading import keeping_hours, reading_arms
from app.core.analytics.margins import read_margins
from app.core.analytics.usage import find_prompt
from app.core.analytics.version_comparison import Comparison, compare_versions
from app.core.database import Connection
from app.core.errors import VersionNotFound
from app.core.queries.overviews import VersionSeen, select_newest_versions, select_version_by_hash

MAX_CANDIDATES = 10
"""Each further one makes all intervals wider, since the claims of all together are to be right in 95 %."""


@dataclass(frozen=True, slots=True)
class VersionTable:
    """`choices` are the newest versions, newest first, and `comparisons` those of all but the baseline, alike.

    `truncated`: there are more than MAX_CANDIDATES of them. `baseline` is None where there is one version alone.
    """

    name: str | None
    choices: list[VersionSeen]
    baseline: VersionSeen | None
    comparisons: list[Comparison]
    truncated: bool


def read_version_table(
    connection: Connection,
    project_id: int,
    prompt_id: UUID,
    baseline_hash: str | None,
    *,
    max_choices: int,
    now: datetime,
) -> VersionTable:
    """Without a baseline it is the one before the newest.

    Raises NotFound for a prompt that the project has never used, and VersionNotFound for a version.
    """
    prompt = find_prompt(connection, project_id, prompt_id)
    project = (connection, project_id, prompt.prompt_key)
    choices = select_newest_versions(*project, max(max_choices, MAX_CANDIDATES + 2))
    if baseline_hash is not None:
        baseline = select_version_by_hash(*project, baseline_hash)
        if baseline is None:
            raise VersionNotFound("baseline")
    elif len(choices) > 1:
        baseline = choices[1]
    else:
        return VersionTable(prompt.name, choices, None, [], truncated=False)
    candidates = [version for version in choices if version.version_key != baseline.version_key]
    shown = candidates[:MAX_CANDIDATES]
    margins = read_margins(*project)
    read = keeping_hours(reading_arms(*project), baseline.version_key)
    # the oldest first, whose time mostly holds that of all others
    compared = [
        compare_versions(*project, baseline, version, margins=margins, now=now, candidates=len(shown), read=read)
        for version in reversed(shown)
    ]
    return VersionTable(prompt.name, choices, baseline, compared[::-1], truncated=len(candidates) > len(shown))
