"""News of versions, from real events: what the comparison of the newest two comes to."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.database import Connection
from app.core.news.sentences import sentence
from tests.news import make_webhook, written
from tests.stored_events import PROMPT
from tests.usage_recount import store_in_batches
from tests.versions import Traffic, always, around, events_of
from worker.news.looks import Looking, look_for_news
from worker.news.verdicts import find_verdicts

LOOKING = Looking(lambda: timedelta(0), find_verdicts)


def run_side_by_side(database: Connection, *, latency: float, cost: float) -> datetime:
    """v1, and beside it v2, so many times as slow and as dear, for the ten hours until now."""
    now = datetime.now(UTC)
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=9)
    older = Traffic(
        version="v1", start=start, by_hour=[200] * 9, latency_ms=around(500, 0.15), cost_usd=around(0.01, 0.1)
    )
    newer = Traffic(
        version="v2",
        start=start + timedelta(seconds=1),
        by_hour=[200] * 9,
        latency_ms=around(500 * latency, 0.15),
        cost_usd=around(0.01 * cost, 0.1),
    )
    for seed, traffic in enumerate((older, newer)):
        store_in_batches(database, events_of(1, PROMPT, traffic, seed), batch_size=1_000)
    return now


def sentences(database: Connection) -> list[str]:
    rows = database.execute("SELECT kind, payload FROM news ORDER BY id").fetchall()
    return [sentence(str(kind), payload) for kind, payload in rows]


@pytest.mark.parametrize(
    ("latency", "cost", "expected"),
    [
        (1.3, 1.0, "is worse than v1: latency +"),
        (1.3, 0.7, "is worse than v1 in one way and better in another: latency +"),
        (1.0, 0.7, "is better than v1: cost for each event \N{MINUS SIGN}"),
    ],
)
def test_it_is_told_once_how_the_newest_version_does(database: Connection, latency: float, cost: float, expected: str):
    make_webhook(database, "https://a.test/", kinds=["version_worse", "version_better"])
    now = run_side_by_side(database, latency=latency, cost=cost)
    for _ in range(2):
        assert look_for_news(database, LOOKING, now, compared={})
    (told,) = sentences(database)
    assert expected in told
    assert told.endswith("(in the hours in which both ran).")


def test_equal_versions_are_no_news(database: Connection):
    now = run_side_by_side(database, latency=1.0, cost=1.0)
    assert look_for_news(database, LOOKING, now, compared={})
    assert written(database) == []


def test_a_cost_that_was_nothing_before_is_told_without_a_number(database: Connection):
    now = datetime.now(UTC)
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=9)
    for seed, (version, cost) in enumerate({"v1": 0.0, "v2": 0.01}.items()):
        traffic = Traffic(
            version=version, start=start + timedelta(seconds=seed), by_hour=[100] * 9, cost_usd=always(cost)
        )
        store_in_batches(database, events_of(1, PROMPT, traffic, seed), batch_size=1_000)
    assert look_for_news(database, LOOKING, now, compared={})
    (told,) = sentences(database)
    assert "is worse than v1: cost for each event higher (in the hours" in told
