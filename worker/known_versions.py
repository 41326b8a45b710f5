"""The keys of prompts and versions; what is too many to be registered is stored under "(other)".

A client that puts a time stamp or a random number into an id or a hash would otherwise make rows for ever, in every
table that is kept by version, with each event.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from app.core.contract import OTHER_PROMPT, OTHER_VERSION
from app.core.database import Connection
from app.core.queries.dimensions import (
    Prompt,
    Version,
    VersionKeys,
    VersionName,
    insert_prompts,
    insert_versions,
    prompt_of,
    select_versions,
)
from app.core.queries.overflows import (
    WHOLE_PROJECT,
    OverflowKey,
    count_new_prompts,
    count_new_versions,
    insert_overflows,
)

MAX_REMEMBERED = 30_000
"""Some 15 MB."""


class NewPerDay(NamedTuple):
    """How many new ones a UTC day may bring. Several workers may go beyond it by a batch each."""

    versions_of_prompt: int = 1_000
    prompts_of_project: int = 10_000


NEW_PER_DAY = NewPerDay()


class _Placing(NamedTuple):
    """What versions are stored as, each as itself or as "(other)", and where there were too many."""

    stored_as: dict[Version, Version]
    projects: set[int]
    prompts: set[Prompt]


class KnownVersions:
    """Finds the keys of versions through one connection, and remembers those that are registered."""

    def __init__(self, new_per_day: NewPerDay, tell: Callable[[Connection, Sequence[OverflowKey]], None]) -> None:
        """`tell` is called with each prompt and project that has too many, by one worker and once a day."""
        self._new_per_day = new_per_day
        self._tell = tell
        self._keys: dict[VersionName, VersionKeys] = {}

    def keys_of(self, connection: Connection, wanted: Iterable[VersionName]) -> dict[VersionName, VersionKeys]:
        """Look up, and where needed create, the keys of all that are wanted; of new ones the first are registered.

        They are committed before the batch: keys of a transaction that was rolled back must never be remembered.
        """
        keys: dict[VersionName, VersionKeys] = {}
        unknown = []
        for version in dict.fromkeys(wanted):
            if (known := self._keys.get(version)) is None:
                unknown.append(Version(*version))
            else:
                keys[version] = known
        if not unknown:
            return keys
        registered, prompts = select_versions(connection, unknown)
        self._remember(registered)
        keys.update(registered.items())
        missing = [version for version in unknown if version not in registered] if registered else unknown
        if missing:
            keys.update(self._register(connection, missing, prompts).items())
        return keys

    def _remember(self, keys: Mapping[Version, VersionKeys]) -> None:
        if len(self._keys) + len(keys) > MAX_REMEMBERED:
            self._keys.clear()
        self._keys.update(keys.items())

    def _register(
        self, connection: Connection, missing: Sequence[Version], prompts: Mapping[Prompt, int]
    ) -> dict[Version, VersionKeys]:
        """`prompts` are the keys of those of the missing versions' prompts that are registered."""
        placing = self._place(connection, missing, prompts)
        targets = dict.fromkeys(placing.stored_as.values())
        keys = {target: self._keys[target] for target in targets if target in self._keys}
        new = [target for target in targets if target not in keys]
        if new:
            with connection.transaction():
                insert_prompts(connection, {prompt_of(version) for version in new} - prompts.keys())
                insert_versions(connection, new)
            made = select_versions(connection, new).versions
            self._remember(made)
            keys |= made
        if placing.projects or placing.prompts:
            overflowing = [keys[_other_of(prompt)].prompt_key for prompt in placing.prompts]
            self._keep_overflows(connection, placing, overflowing)
        return {version: keys[target] for version, target in placing.stored_as.items()}

    def _place(self, connection: Connection, missing: Sequence[Version], prompts: Mapping[Prompt, int]) -> _Placing:
        """In the order in which they came."""
        of_missing = [prompt_of(version) for version in missing]
        new = [prompt for prompt in dict.fromkeys(of_missing) if prompt not in prompts]
        refused = self._refused_prompts(connection, new)
        others = {each.project_id: _other_of(Prompt(each.project_id, OTHER_PROMPT)) for each in refused}
        limit = self._new_per_day.versions_of_prompt
        counts = count_new_versions(connection, prompts.values(), limit=limit) if prompts else {}
        left = {prompt: limit - counts.get(key, 0) for prompt, key in prompts.items()}
        placing = _Placing({}, set(others), set())
        for version, prompt in zip(missing, of_missing, strict=True):
            if prompt in refused:
                placing.stored_as[version] = others[prompt.project_id]
            elif version.version_hash == OTHER_VERSION:
                placing.stored_as[version] = version
            elif (free := left.get(prompt, limit)) > 0:
                left[prompt] = free - 1
                placing.stored_as[version] = version
            else:
                placing.prompts.add(prompt)
                placing.stored_as[version] = _other_of(prompt)
        return placing

    def _refused_prompts(self, connection: Connection, new: Sequence[Prompt]) -> set[Prompt]:
        """Those of the new prompts that are too many."""
        refused: set[Prompt] = set()
        if not new:
            return refused
        limit = self._new_per_day.prompts_of_project
        counts = count_new_prompts(connection, {prompt.project_id for prompt in new}, limit=limit)
        left = {project_id: limit - registered for project_id, registered in counts.items()}
        for prompt in new:
            if prompt.prompt_id != OTHER_PROMPT:
                left[prompt.project_id] -= 1
                if left[prompt.project_id] < 0:
                    refused.add(prompt)
        return refused

    def _keep_overflows(self, connection: Connection, placing: _Placing, prompt_keys: Sequence[int]) -> None:
        of_prompts = [prompt.project_id for prompt in placing.prompts]
        of_projects = sorted(placing.projects)
        versions, prompts = self._new_per_day
        told = insert_overflows(connection, of_prompts, prompt_keys, allowed=versions) if of_prompts else []
        if of_projects:
            told += insert_overflows(connection, of_projects, [WHOLE_PROJECT] * len(of_projects), allowed=prompts)
        if told:
            self._tell(connection, told)


def _other_of(prompt: Prompt) -> Version:
    return Version(*prompt, OTHER_VERSION)
