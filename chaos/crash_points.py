"""A crash at each step of the way of an event, in turn: the systematic part beside the random kills."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import redis

from app.core.stream.entries import EVENT_FIELD, FIRST_RECEIVED_FIELD, entries_of
from app.core.stream.state import GROUP, STREAM
from chaos.folding import make_folds_due
from chaos.injections import CrashPoint, crashes_at, expect_applied, write_plan
from chaos.planting import planting
from chaos.servers import open_servers
from chaos.service import Service, open_service, wait_until
from chaos.verdict import Verdict, verdict_on

BUFFER = "app.core.stream.buffer:EventBuffer"
MERGE = "app.core.queries.rollups:merge_rollups"
ADDITIONS = "app.core.queries.additions"
DEAD_LETTERS = "app.core.queries.dead_letters:insert_dead_letter"
TRANSACTION = "psycopg.transaction:Transaction.__exit__"
POINTS = (
    CrashPoint("web, before the append", f"{BUFFER}.append_packed", "before"),
    CrashPoint("web, after the append, before the 204", f"{BUFFER}.append_packed", "after"),
    CrashPoint("after a claim", f"{BUFFER}.read_new", "after"),
    CrashPoint("after taking over from a dead worker", f"{BUFFER}.claim_stale", "after"),
    CrashPoint("after partitions were looked at", "app.core.queries.partitions:ensure_partitions", "after"),
    CrashPoint("after BEGIN", "app.core.queries.events:insert_new_events", "before"),
    CrashPoint("where a repeat was met", "app.core.queries.events:insert_events", "before"),
    CrashPoint("after the insert, before the additions", f"{ADDITIONS}:append_additions", "before"),
    CrashPoint("after the additions", f"{ADDITIONS}:append_additions", "after"),
    CrashPoint("before COMMIT", TRANSACTION, "before"),
    CrashPoint("after COMMIT", TRANSACTION, "after"),
    CrashPoint("before XACK and XDEL", f"{BUFFER}.acknowledge", "before"),
    CrashPoint("after XACK and XDEL", f"{BUFFER}.acknowledge", "after"),
    CrashPoint("fold, before DELETE", f"{ADDITIONS}:take_additions", "before"),
    CrashPoint("fold, after DELETE", f"{ADDITIONS}:take_additions", "after"),
    CrashPoint("fold, before the rollups", MERGE, "before"),
    CrashPoint("fold, after the rollups, before COMMIT", MERGE, "after"),
    CrashPoint("fold, after COMMIT", "worker.fold:fold_project", "after"),
    CrashPoint("before a dead letter", DEAD_LETTERS, "before"),
    CrashPoint("after a dead letter, before XACK", DEAD_LETTERS, "after"),
)
"""XACK and XDEL are one script, so that there is nothing between them."""

SPREAD = 3
"""A process crashes at the first, second or third passing."""
PAUSE_SECONDS = 0.05
AGE_SECONDS = 0.5
SINGLE_PAUSE_SECONDS = 0.02
AGED_MS = 60_000
GHOST, GHOST_ENTRIES = "ghost", 5
"""A worker that dies after each claim."""
CRASH_SECONDS = 20.0
"""At most so long for one crash: the start of a process, and a batch."""


@dataclass(frozen=True)
class CrashRun:
    """How often it crashed at each point, and what the checker says of all of them together."""

    crashes: dict[str, int]
    each: int
    verdict: Verdict

    @property
    def held(self) -> bool:
        return self.verdict.holds and all(count >= self.each for count in self.crashes.values())


def run_crash_points(folder: Path, *, seed: int, each: int, points: Sequence[CrashPoint] = POINTS) -> CrashRun:
    """Under load, `each` crashes at one point after the other. CannotRun where a point is not reached any more."""
    with (
        open_servers(folder) as servers,
        open_service(servers, "crash-points", pause_seconds=PAUSE_SECONDS) as service,
    ):
        service.wait_until_up()
        orders = {"single_clients": 2, "batch_clients": 1, "batch_events_per_second": 300, "largest_batch": 100}
        with service.load(seed, single_pause_seconds=SINGLE_PAUSE_SECONDS, **orders):
            with planting(service, partial(_poison_and_age, service.database_url), pause_seconds=AGE_SECONDS):
                crashes = {point.name: _crash_at(service, point, each) for point in points}
            write_plan(service.folder)
            _start_anew(service, service.processes)
        service.wait_until_empty()
        return CrashRun(crashes, each, verdict_on(service))


def _crash_at(service: Service, point: CrashPoint, each: int) -> int:
    point = replace(point, limit=each, spread=SPREAD)
    write_plan(service.folder, crashes=[point])
    _start_anew(service, _who_pass(service, point))
    wait_until(
        lambda: crashes_at(service.folder, point) >= each, f"{each} crashes {point.name}", CRASH_SECONDS * each + 20
    )
    expect_applied(service.folder, point.name)
    return crashes_at(service.folder, point)


def _who_pass(service: Service, point: CrashPoint) -> list[str]:
    """The processes that come by the point; the others go on. All of them have transactions."""
    is_of_web = point.name.startswith("web, ")
    return [name for name in service.processes if point.target == TRANSACTION or (name == "web") == is_of_web]


def _start_anew(service: Service, names: Iterable[str]) -> None:
    """So that these processes read the plan; the platform starts them."""
    for name in names:
        with service.platform.holding(name):
            service.processes[name].kill()


def _poison_and_age(database_url: str, client: redis.Redis, planted: int) -> int:
    """So that there is always something to set aside, to take over, to recognise and to fold.

    What a dead worker holds is taken over after 12 s; here each pending entry is made that old again and again.
    """
    age_pending(client)
    make_folds_due(database_url)
    with client.pipeline(transaction=True) as pipeline:
        pipeline.xadd(STREAM, {"e": f"poison {planted}"})
        for payload, received_at_ms in _newest_event(client):
            pipeline.xadd(STREAM, {EVENT_FIELD: payload, FIRST_RECEIVED_FIELD: received_at_ms})
        pipeline.xreadgroup(GROUP, GHOST, {STREAM: ">"}, count=GHOST_ENTRIES)
        pipeline.execute()
    return planted + 1


def _newest_event(client: redis.Redis) -> list[tuple[bytes, int]]:
    """The newest event in the buffer, if the newest entry is one: put there once more, it is to be stored once."""
    newest: Any = client.xrevrange(STREAM, count=1)
    return [
        (entry.payload, entry.received_at_ms) for entry in entries_of(newest) if not entry.payload.startswith(b"poison")
    ]


def age_pending(client: redis.Redis) -> None:
    """Let each pending entry look as if its worker had held it for a minute."""
    by_consumer: dict[Any, list[Any]] = {}
    pending: list[dict[str, Any]] = []
    # without a group nothing is pending
    with suppress(redis.ResponseError):
        pending = client.xpending_range(STREAM, GROUP, "-", "+", 10_000)
    for entry in pending:
        by_consumer.setdefault(entry["consumer"], []).append(entry["message_id"])
    for consumer, ids in by_consumer.items():
        client.xclaim(STREAM, GROUP, consumer, 0, ids, idle=AGED_MS, justid=True)
