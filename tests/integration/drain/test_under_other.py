"""A client that sends more new versions or prompts than are registered: all is stored and counted, and it is told."""

import logging
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from app.core.contract import OTHER_PROMPT, OTHER_VERSION
from app.core.queries.dimensions import Version
from app.core.rollups.event_row import EventRow
from app.core.stream.events import Event, new_event_id
from tests.folds import fold_all
from tests.recount import assert_rollups_equal_a_recount
from worker.known_versions import KnownVersions, NewPerDay
from worker.repeats import Repeat, find_conflicts
from worker.store import EventStore, ReceivedEvent

AT_MS = 1_790_000_000_000
FEW = NewPerDay(versions_of_prompt=3, prompts_of_project=2)
BEFORE_TODAY = "UPDATE {} SET created_at = created_at - interval '1 day'"
COUNTED = """
SELECT prompts.prompt_id, version.version_hash, sum(rollups.events)::int
FROM rollups
JOIN prompt_versions AS version ON version.id = rollups.version_key
JOIN prompts ON prompts.id = version.prompt_key
WHERE rollups.grain = 'day'
GROUP BY prompts.prompt_id, version.version_hash
ORDER BY prompts.prompt_id, version.version_hash
"""


def an_event(project_id: int, prompt: int, version: str, *, event_id: bytes | None = None, latency_ms: int = 5):
    event = Event(event_id or new_event_id(), project_id, UUID(int=prompt), version, Decimal(latency_ms))
    return ReceivedEvent(event, AT_MS)


def counted(database) -> dict[tuple[int, str], int]:
    fold_all(database)
    return {(prompt.int, version): events for prompt, version, events in database.execute(COUNTED)}


def test_what_is_beyond_the_limits_is_stored_and_counted_under_other(database, project_id):
    store = EventStore(FEW)
    sent = [an_event(project_id, prompt, f"v{version}") for prompt in range(1, 5) for version in range(5)]
    assert store.store(database, sent) == (20, [])
    assert store.store(database, [an_event(project_id, 1, "v9"), an_event(project_id, 9, "v1")]) == (2, [])
    assert counted(database) == {
        **{(prompt, f"v{version}"): 1 for prompt in (1, 2) for version in range(3)},
        (1, OTHER_VERSION): 3,
        (2, OTHER_VERSION): 2,
        (OTHER_PROMPT.int, OTHER_VERSION): 11,
    }
    assert assert_rollups_equal_a_recount(database) == 22
    names = database.execute("SELECT name FROM prompts ORDER BY prompt_id").fetchall()
    assert names == [(None,), (None,), (OTHER_VERSION,)]


def test_what_is_registered_goes_on_as_ever(database, project_id):
    EventStore(FEW).store(database, [an_event(project_id, 1, f"v{version}") for version in range(5)])
    for store in (EventStore(FEW), EventStore(NewPerDay(1, 1))):
        assert store.store(database, [an_event(project_id, 1, f"v{version}") for version in range(3)]).new == 3
    assert counted(database) == {(1, "v0"): 3, (1, "v1"): 3, (1, "v2"): 3, (1, OTHER_VERSION): 2}


def test_the_limits_are_those_of_a_prompt_and_of_a_project(database, project_id):
    database.execute("INSERT INTO projects (name) VALUES ('second')")
    store = EventStore(NewPerDay(versions_of_prompt=1, prompts_of_project=1))
    for project in (project_id, project_id + 1):
        store.store(database, [an_event(project, 1, "v"), an_event(project, 2, "v")])
    registered = database.execute("SELECT project_id, count(*) FROM prompts WHERE NOT is_other GROUP BY 1 ORDER BY 1")
    assert registered.fetchall() == [(project_id, 1), (project_id + 1, 1)]


def test_the_next_day_brings_as_many_again(database, project_id):
    store = EventStore(FEW)
    store.store(database, [an_event(project_id, 1, f"v{version}") for version in range(5)])
    database.execute(BEFORE_TODAY.format("prompt_versions"))
    store.store(database, [an_event(project_id, 1, f"v{version}") for version in range(3, 9)])
    assert set(counted(database)) == {(1, f"v{version}") for version in range(6)} | {(1, OTHER_VERSION)}


def test_an_event_that_comes_again_is_the_same_whatever_was_registered_meanwhile(database, project_id):
    few = EventStore(NewPerDay(versions_of_prompt=1, prompts_of_project=1))
    under_other = [an_event(project_id, 1, "v1"), an_event(project_id, 2, "v2")]
    assert few.store(database, [an_event(project_id, 1, "v0"), *under_other]) == (3, [])
    assert few.store(database, under_other) == (0, [])
    many = EventStore()
    for each in under_other:
        _, prompt, version = each.event.project_id, each.event.prompt_id.int, each.event.version_hash
        many.store(database, [an_event(project_id, prompt, version)])
    assert many.store(database, under_other) == (0, [])
    assert EventStore().store(database, under_other) == (0, [])
    assert assert_rollups_equal_a_recount(database) == 5


def keys_of(database) -> dict[str, tuple[int, int]]:
    found = database.execute("SELECT version_hash, prompt_key, id FROM prompt_versions").fetchall()
    return {version: (prompt_key, key) for version, prompt_key, key in found}


def test_two_workers_one_of_which_did_not_see_the_other_register_a_version_find_no_conflict(database, project_id):
    event = an_event(project_id, 1, "v1")
    EventStore().store(database, [event, an_event(project_id, 1, OTHER_VERSION)])
    keys = keys_of(database)
    row = EventRow(project_id, *keys[OTHER_VERSION], date(2026, 9, 21), b"", AT_MS, AT_MS, Decimal(5), None, None)
    version = Version(project_id, UUID(int=1), "v1")
    stored = row._replace(version_key=keys["v1"][1]).content
    assert find_conflicts(database, [Repeat(0, version, row, stored)]) == []
    assert find_conflicts(database, [Repeat(0, version._replace(version_hash="v2"), row, stored)]) == [0]


@pytest.mark.parametrize(
    ("prompt", "version", "latency_ms"), [(1, "v1", 6), (2, "v1", 5), (1, "v0", 6)], ids=["latency", "prompt", "both"]
)
def test_an_id_that_comes_again_with_something_else_is_a_conflict(
    database, project_id, *, prompt: int, version: str, latency_ms: int
):
    few = EventStore(NewPerDay(versions_of_prompt=1))
    first = an_event(project_id, 1, "v1")
    few.store(database, [an_event(project_id, 1, "v0"), an_event(project_id, 2, "v0"), first])
    again = an_event(project_id, prompt, version, event_id=first.event.event_id, latency_ms=latency_ms)
    assert few.store(database, [again]) == (0, [0])
    assert EventStore().store(database, [again]) == (0, [0])


def test_one_id_for_two_versions_under_other_is_a_conflict_where_both_are_at_hand(database, project_id):
    few = EventStore(NewPerDay(versions_of_prompt=1))
    first = an_event(project_id, 1, "v1")
    again = an_event(project_id, 1, "v2", event_id=first.event.event_id)
    assert few.store(database, [an_event(project_id, 1, "v0"), first, again, first]) == (2, [2])


def test_each_prompt_and_project_is_told_of_once_a_day_by_one_worker(database, project_id, caplog):
    database.execute("UPDATE prompts SET name = 'checkout-reply'")
    sent = [an_event(project_id, 1, f"v{version}") for version in range(5)]
    for store in (EventStore(FEW), EventStore(FEW), EventStore(FEW)):
        store.store(database, [*sent, *(an_event(project_id, prompt, "v") for prompt in range(2, 6))])
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [(each.prompt_id, each.allowed, each.see) for each in told] == [
        (None, 2, "docs/runbook.md#counted_under_other"),
        (str(UUID(int=1)), 3, "docs/runbook.md#counted_under_other"),
    ]
    database.execute("UPDATE overflows SET day = day - 1")
    EventStore(FEW).store(database, [an_event(project_id, 1, "v77")])
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 3


def test_many_at_once_are_told_in_a_few_lines(database, project_id, caplog, monkeypatch):
    monkeypatch.setattr("worker.overflows.MOST_TOLD", 2)
    sent = [an_event(project_id, prompt, version) for prompt in range(5) for version in ("v0", "v1")]
    EventStore(NewPerDay(versions_of_prompt=1)).store(database, sent)
    assert [getattr(record, "others", None) for record in caplog.records] == [None, None, 3]


def test_it_says_which_keys_sent_events_lately(database, project_id, caplog):
    rows = [(project_id, name, bytes([number] * 32), f"eg_live_{number}") for number, name in enumerate("abc")]
    for row in rows:
        database.execute(
            "INSERT INTO api_keys (project_id, name, key_hash, prefix, scopes) VALUES (%s, %s, %s, %s, '{ingest}')", row
        )
    store = EventStore(NewPerDay(versions_of_prompt=1), lambda: {1: 7, 3: 900, 44: 1})
    store.store(database, [an_event(project_id, 1, "v0"), an_event(project_id, 1, "v1")])
    assert caplog.records[-1].api_keys == ["c (id 3): 900 events", "a (id 1): 7 events"]


def test_what_a_worker_remembers_stays_small(database, project_id, monkeypatch):
    monkeypatch.setattr("worker.known_versions.MAX_REMEMBERED", 10)
    known = KnownVersions(NewPerDay(versions_of_prompt=40), lambda *_: None)
    for start in range(0, 100, 4):
        wanted = [Version(project_id, UUID(int=1), f"v{number}") for number in range(start, start + 4)]
        assert list(known.keys_of(database, wanted)) == wanted
        assert len(known._keys) <= 10
    last = known.keys_of(database, [Version(project_id, UUID(int=1), f"v{number}") for number in range(90, 99)])
    assert len(set(last.values())) == 1
