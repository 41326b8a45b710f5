"""What a worker of 0.1.0 takes, which writes nothing down: no loss, and said as such."""

import json
import re
import time
from collections.abc import Sequence
from typing import Any

import pytest

from app.core.database import Connection
from app.core.queries.ledger import insert_acknowledgements
from app.core.queries.losses import select_loss
from app.core.queries.untraced import select_untraced
from app.core.stream.buffer import EventBuffer
from app.core.stream.consumers import forget_silent_ones, silent_for_seconds
from app.core.stream.entries import Entry, entries_of
from app.core.stream.losses import look_for_losses
from app.core.stream.numbering import Numbering
from app.core.stream.state import GROUP, STREAM
from chaos.crash_points import age_pending
from tests.commands import Run
from tests.drains import an_event, run_drain
from worker.store import EventStore, decode_entry

OLD = "worker.1"
"""Its successor has the same name."""


def claim_as_old(client) -> list[Entry]:
    answer: Any = client.xreadgroup(GROUP, OLD, {STREAM: ">"})
    return entries_of(answer[0][1])


def store_as_old(database: Connection, client, entries: Sequence[Entry]) -> None:
    EventStore().store(database, [decode_entry(entry._replace(label=None)) for entry in entries])
    for entry in entries:
        client.xack(STREAM, GROUP, entry.entry_id)
        client.xdel(STREAM, entry.entry_id)


def told(run: Run) -> dict[str, int]:
    """What the ledger says of all hours together."""
    finished = run("ledger", "--json")
    assert finished.exit_code == 0
    hours = json.loads(finished.stdout)["hours"]
    return {name: sum(hour[name] for hour in hours) for name in ("accepted", "stored", "waiting", "lost", "untraced")}


def test_what_an_old_worker_stores_is_untraced_and_no_loss(database, client, buffer, numbering, run):
    buffer.append(*[an_event(1, seed) for seed in range(5)])
    store_as_old(database, client, claim_as_old(client))
    buffer.append(*[an_event(1, seed) for seed in range(3)])
    numbering.flush()
    assert look_for_losses(database, client) == 0
    run_drain(database, client, OLD)
    assert look_for_losses(database, client) == 0
    assert told(run) == {"accepted": 8, "stored": 3, "waiting": 0, "lost": 0, "untraced": 5}
    facts = json.loads(run("status", "--json").stdout)
    assert (facts["untraced_events"], facts["untraced_since"][14:]) == (5, "00:00Z")
    assert re.search(r"Untraced +5 \(see docs/runbook.md#untraced\)", run("status").stdout)
    assert select_loss(database).events == 0
    assert database.execute("SELECT count(*) FROM acknowledgements").fetchone() == (0,)


def test_a_log_says_how_many_events_left_no_trace(database, client, buffer, numbering, caplog):
    buffer.append(*[an_event(1, seed) for seed in range(5)])
    store_as_old(database, client, claim_as_old(client))
    numbering.flush()
    look_for_losses(database, client)
    look_for_losses(database, client)
    assert [record.__dict__["events"] for record in caplog.records if "nothing down" in record.message] == [5]


def test_the_count_of_one_project_is_its_own(database, client, buffer, numbering):
    database.execute("INSERT INTO projects (name) VALUES ('other')")
    buffer.append(*[an_event(1, seed) for seed in range(5)])
    buffer.append(*[an_event(2, seed) for seed in range(2)])
    store_as_old(database, client, claim_as_old(client))
    numbering.flush()
    look_for_losses(database, client)
    assert [select_untraced(database, project_id=project_id).events for project_id in (None, 1, 2, 3)] == [7, 5, 2, 0]
    assert select_untraced(database, project_id=3).since is None


def test_the_count_reads_what_is_untraced_and_no_other_series(database):
    database.execute("""
        INSERT INTO series (series, project_id, hour, acknowledged, stored)
        SELECT 'series ' || number, 1, now(), '{[1,10)}',
               CASE WHEN number = 7 THEN '{[1,8)}' ELSE '{[1,10)}' END::int8multirange
        FROM generate_series(1, 5000) AS number
    """)
    database.execute("ANALYZE series")
    read = "SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'series'"
    with database.transaction():
        assert select_untraced(database).events == 2
        assert database.execute(read).fetchone() == (0, 1)


def test_an_acknowledgement_that_comes_again_stays_untraced(database, client, buffer, numbering):
    written: list[Any] = []
    numbering._write = written.extend
    buffer.append(an_event(1))
    store_as_old(database, client, claim_as_old(client))
    numbering.flush()
    insert_acknowledgements(database, written)
    assert look_for_losses(database, client) == 0
    client.xgroup_destroy(STREAM, GROUP)
    insert_acknowledgements(database, written)
    assert look_for_losses(database, client) == 0
    assert select_loss(database).events == 0


def test_what_an_old_worker_holds_still_waits_and_its_successor_stores_it(database, client, buffer, numbering, run):
    buffer.append(*[an_event(1, seed) for seed in range(5)])
    store_as_old(database, client, claim_as_old(client)[:2])
    numbering.flush()
    assert look_for_losses(database, client) == 0
    assert told(run) == {"accepted": 5, "stored": 0, "waiting": 3, "lost": 0, "untraced": 2}
    age_pending(client)
    run_drain(database, client, OLD)
    assert look_for_losses(database, client) == 0
    assert told(run) == {"accepted": 5, "stored": 3, "waiting": 0, "lost": 0, "untraced": 2}


def test_what_is_seen_after_all_is_untraced_no_more(database, client, buffer, numbering, run):
    buffer.append(an_event(1))
    (entry,) = claim_as_old(client)
    fields = client.xrange(STREAM)[0][1]
    client.xack(STREAM, GROUP, entry.entry_id)
    client.xdel(STREAM, entry.entry_id)
    numbering.flush()
    assert look_for_losses(database, client) == 0
    client.xadd(STREAM, fields)
    run_drain(database, client)
    look_for_losses(database, client)
    assert told(run) == {"accepted": 1, "stored": 1, "waiting": 0, "lost": 0, "untraced": 0}


def test_a_loss_of_what_came_after_the_old_workers_is_told(database, client):
    later = Numbering(
        lambda rows: insert_acknowledgements(database, rows), clock=lambda: time.time() + 100, delay_seconds=3_600
    )
    EventBuffer(client, numbering=later).append(*[an_event(1, seed) for seed in range(4)])
    store_as_old(database, client, claim_as_old(client)[:1])
    entry_ids: list[Any] = [entry_id for entry_id, _ in client.xrange(STREAM)]
    client.xdel(STREAM, *entry_ids[:2])
    later.flush()
    # the one that an old worker stored would have been acknowledged before, were the clock not ahead
    assert look_for_losses(database, client) == 3


def test_a_loss_is_told_where_all_workers_write_down_what_they_saw(database, client, buffer, numbering):
    run_drain(database, client, OLD)
    assert silent_for_seconds(client) is None
    buffer.append(*[an_event(1, seed) for seed in range(4)])
    entry_ids: list[Any] = [entry_id for entry_id, _ in client.xrange(STREAM)]
    client.xdel(STREAM, *entry_ids)
    numbering.flush()
    assert look_for_losses(database, client) == 4


def test_old_workers_are_forgotten_when_they_hold_nothing_and_have_long_been_silent(database, client, buffer):
    buffer.append(an_event(1))
    assert silent_for_seconds(client) is None
    assert forget_silent_ones(client) == 0
    entries = claim_as_old(client)
    assert forget_silent_ones(client, after_seconds=0) == 0
    store_as_old(database, client, entries)
    buffer.append(an_event(1))
    run_drain(database, client, OLD)
    look_for_losses(database, client)
    assert silent_for_seconds(client) == pytest.approx(0, abs=200)
    assert forget_silent_ones(client, after_seconds=0) == 1
    assert silent_for_seconds(client) is None
    assert [row["name"] for row in client.xinfo_consumers(STREAM, GROUP)] == [b"worker.1+ledger"]


def test_an_empty_redis_has_no_consumers(client):
    assert silent_for_seconds(client) is None
    assert forget_silent_ones(client) == 0
    client.xadd(STREAM, {"e": b"x"})
    assert silent_for_seconds(client) is None
    assert forget_silent_ones(client) == 0
