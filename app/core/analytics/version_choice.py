"""Which two versions of a prompt are compared: those that somebody names, or the newest and the one before it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from app.core.analytics.margins import read_margins
from app.core.analytics.usage import find_prompt
from app.core.analytics.version_comparison import Comparison, compare_versions
from app.core.database import Connection
from app.core.errors import NothingToCompare, VersionNotFound
from app.core.queries.overviews import (
    VersionSeen,
    select_newest_of_few,
    select_newest_versions,
    select_version_by_hash,
)


class ChosenVersions(NamedTuple):
    """Two versions to compare."""

    baseline: VersionSeen
    candidate: VersionSeen


def compare_chosen(
    connection: Connection,
    project_id: int,
    prompt_id: UUID,
    *,
    baseline: str | None,
    candidate: str | None,
    now: datetime,
) -> Comparison:
    """The versions with these hashes, chosen as `choose_versions` does; give it a snapshot.

    Raises NotFound for a prompt that the project has never used, and what `choose_versions` raises.
    """
    prompt_key = find_prompt(connection, project_id, prompt_id).prompt_key
    chosen = choose_versions(connection, project_id, prompt_key, baseline=baseline, candidate=candidate)
    margins = read_margins(connection, project_id, prompt_key)
    return compare_versions(connection, project_id, prompt_key, *chosen, margins=margins, now=now)


def newest_pair(connection: Connection, project_id: int, prompt_key: int) -> ChosenVersions | None:
    """The newest version of all and the one before it; None where there is one alone."""
    newest_first = select_newest_versions(connection, project_id, prompt_key, 2)
    return ChosenVersions(newest_first[1], newest_first[0]) if len(newest_first) > 1 else None


def newest_pairs(connection: Connection, project_id: int, prompt_keys: Sequence[int]) -> dict[int, ChosenVersions]:
    """`newest_pair` by prompt, of those that have two versions; in one go, but for prompts with many versions."""
    newest_first: dict[int, list[VersionSeen]] = {}
    for version in select_newest_of_few(connection, project_id, prompt_keys, 2):
        newest_first.setdefault(version.prompt_key, []).append(version)
    pairs = {key: ChosenVersions(found[1], found[0]) for key, found in newest_first.items() if len(found) > 1}
    for prompt_key in set(prompt_keys) - newest_first.keys():
        pair = newest_pair(connection, project_id, prompt_key)
        if pair:
            pairs[prompt_key] = pair
    return pairs


def choose_versions(
    connection: Connection, project_id: int, prompt_key: int, *, baseline: str | None, candidate: str | None
) -> ChosenVersions:
    """Two different versions by their hashes.

    Without a candidate the newest version is one; without a baseline, the one that began before the candidate. Raises
    VersionNotFound for a hash that has no events, and NothingToCompare where there is no other version in that place.
    """
    newer = _named(connection, project_id, prompt_key, "candidate", candidate)
    older = _named(connection, project_id, prompt_key, "baseline", baseline)
    if newer is None:
        newer = _newest(connection, project_id, prompt_key)
    if older is None:
        older = _newest(connection, project_id, prompt_key, before=newer)
    if older.version_key == newer.version_key:
        raise NothingToCompare("the baseline is the newest version")
    return ChosenVersions(older, newer)


def _named(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    role: Literal["baseline", "candidate"],
    version_hash: str | None,
) -> VersionSeen | None:
    if version_hash is None:
        return None
    found = select_version_by_hash(connection, project_id, prompt_key, version_hash)
    if found is None:
        raise VersionNotFound(role)
    return found


def _newest(
    connection: Connection, project_id: int, prompt_key: int, *, before: VersionSeen | None = None
) -> VersionSeen:
    found = select_newest_versions(connection, project_id, prompt_key, 1, before=before)
    if not found:
        raise NothingToCompare("there is no other version")
    return found[0]
