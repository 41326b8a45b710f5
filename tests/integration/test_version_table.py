"""All versions against one: each as if it were compared alone, and the one is read once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.core.analytics.comparison import DEFAULT_MARGINS
from app.core.analytics.evidence import Arm
from app.core.analytics.evidence_reading import keeping_hours, read_evidence, reading_arms
from app.core.analytics.usage import find_prompt
from app.core.analytics.version_comparison import Comparison, compare_versions
from app.core.analytics.version_table import VersionTable, read_version_table
from app.core.database import Connection
from app.core.rollups.grains import Grain
from tests.folds import fold_all
from tests.usage_recount import new_project, store_in_batches
from tests.versions import Traffic, around, events_of, passes

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
NOW = NOON + timedelta(minutes=30)
PROMPT = UUID(int=1)
HOURS = {"baseline": (200, 200), "before": (400, 150), "side": (150, 150), "after": (20, 20), "long": (300, 300)}
"""How many hours ago each version began, and for how many it had events; the baseline takes a pause at its end."""


@pytest.fixture
def project_id(database: Connection) -> int:
    project_id = new_project(database)
    for seed, (version, (began, hours)) in enumerate(HOURS.items()):
        by_hour = [20] * (hours - 20) + [0 if version == "baseline" else 20] * 20
        start = NOON - timedelta(hours=began)
        traffic = Traffic(
            version=version, start=start, by_hour=by_hour, latency_ms=around(900 + seed), score=passes(0.8)
        )
        store_in_batches(database, events_of(project_id, PROMPT, traffic, seed=seed), batch_size=10_000)
    fold_all(database)
    return project_id


def read_table(database: Connection, project_id: int) -> VersionTable:
    return read_version_table(database, project_id, PROMPT, "baseline", max_choices=50, now=NOW)


def without_evidence(found: Comparison) -> Comparison:
    """Arrays are compared as text, since they do not say whether they are equal."""
    return replace(found, evidence=None)  # type: ignore[arg-type]  # what is left is compared


def test_each_is_found_as_if_it_were_compared_alone(database: Connection, project_id: int):
    found = read_table(database, project_id)
    assert found.baseline is not None
    assert [each.candidate.version_hash for each in found.comparisons] == ["after", "side", "long", "before"]
    assert {each.kind for each in found.comparisons} == {"side_by_side", "before_after"}
    prompt_key = find_prompt(database, project_id, PROMPT).prompt_key
    by_hash = {version.version_hash: version for version in found.choices}
    for each in found.comparisons:
        candidate = by_hash[each.candidate.version_hash]
        pair = (database, project_id, prompt_key, found.baseline, candidate)
        alone = compare_versions(*pair, margins=DEFAULT_MARGINS, now=NOW, candidates=4)
        assert without_evidence(each) == without_evidence(alone)
        assert repr(each.evidence) == repr(alone.evidence)


def test_the_baseline_is_read_once_for_versions_that_ran_beside_it(database: Connection, project_id: int):
    prompt_key = find_prompt(database, project_id, PROMPT).prompt_key
    read = reading_arms(database, project_id, prompt_key)
    asked: list[int] = []

    def counting(keys: Sequence[int], *, grain: Grain, start: datetime, end: datetime) -> list[Arm]:
        asked.extend(keys)
        return read(keys, grain=grain, start=start, end=end)

    versions = {version.version_hash: version for version in read_table(database, project_id).choices}
    baseline = versions["baseline"]
    keeping = keeping_hours(counting, baseline.version_key)
    for name in ("long", "side", "side", "long"):
        assert read_evidence(keeping, (baseline, versions[name]), NOW).kind == "side_by_side"
    assert asked.count(baseline.version_key) == 1
    assert asked.count(versions["side"].version_key) == 2
