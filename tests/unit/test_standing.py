"""How fresh a standby is, by what the primary and the standby tell."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.operations.replica import Standing, standing_of
from app.core.queries.replica import Position, Replayed

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PRIMARY = Position(at=NOW, position="0/1")
SKEWED = NOW + timedelta(hours=1)
"""The clock of web goes wrong: it has no say while the primary answers."""


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def replayed(
    *, has_all: bool, last_commit_at: datetime | None, is_standby: bool = True, is_further: bool = True
) -> Replayed:
    return Replayed(
        is_standby=is_standby, has_all=has_all, is_further=is_further, position="0/1", last_commit_at=last_commit_at
    )


@pytest.mark.parametrize(
    ("found", "known_as_of", "expected"),
    [
        (replayed(has_all=True, last_commit_at=ago(3_600)), None, Standing("in use", NOW, 0.0)),
        (replayed(has_all=True, last_commit_at=None), None, Standing("in use", NOW, 0.0)),
        (replayed(has_all=False, last_commit_at=ago(2)), None, Standing("in use", ago(2), 2.0)),
        (replayed(has_all=False, last_commit_at=ago(3_600)), ago(1), Standing("in use", ago(1), 1.0)),
        (replayed(has_all=False, last_commit_at=ago(20), is_further=False), ago(1), Standing("lagging", ago(20), 20.0)),
        (replayed(has_all=False, last_commit_at=ago(10)), ago(60), Standing("in use", ago(10), 10.0)),
        (replayed(has_all=False, last_commit_at=ago(10.5)), None, Standing("lagging", ago(10.5), 10.5)),
        (replayed(has_all=False, last_commit_at=None), None, Standing("lagging")),
        (replayed(has_all=True, last_commit_at=ago(0), is_standby=False), None, Standing("not a standby")),
    ],
    ids=[
        *("an idle primary", "nothing was ever committed", "a moment behind", "behind by the first commit for an hour"),
        *("put back by a crash", "ten seconds behind", "further behind", "behind, who knows since when", "promoted"),
    ],
)
def test_it_is_as_of_when_it_surely_had_all(found: Replayed, known_as_of: datetime | None, expected: Standing) -> None:
    assert standing_of(PRIMARY, found, known_as_of=known_as_of, now=SKEWED) == expected


def test_without_the_primary_it_is_as_of_its_last_commit_by_the_clock_of_web() -> None:
    found = replayed(has_all=False, last_commit_at=ago(4))
    assert standing_of(None, found, known_as_of=None, now=NOW) == Standing("in use", ago(4), 4.0)
    later = NOW + timedelta(seconds=7)
    assert standing_of(None, found, known_as_of=None, now=later).state == "lagging"
