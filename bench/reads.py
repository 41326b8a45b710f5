"""How long the read API takes over 30 days: the same for few and many events, and while others come."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection
from urllib.parse import urlencode

from app.core.contract import ANALYTICS_PATH
from app.core.database import connect
from app.core.queries.projects import insert_project
from app.local.errors import CannotRun
from bench.events import prompt_id
from bench.history import history_start, store_history
from bench.ingest import BARE, single_source
from bench.load_generator import Source, finished_load, start_load, think_ms_for
from bench.pace import EVENTS_A_MONTH, SECONDS_A_MONTH
from bench.report import Figure, Target
from bench.schedule import Schedule
from bench.stand import Process, Stand

LOAD_TIMEOUT_MS = 600_000
AT_MOST = Target("value", "at most", 50)
SUBJECTS = ("project", "prompt")


@dataclass(frozen=True)
class Reads:
    """p95 in milliseconds by subject and number of events, round by round; and of an empty answer of bare Flask.

    `trickle_p95_ms`: by subject, of `trickle_events` to which others come at the pace of a billion a month.
    """

    p95_ms: Mapping[tuple[str, int], Sequence[float]]
    bare_p95_ms: Sequence[float]
    trickle_events: int
    trickle_p95_ms: Mapping[str, Sequence[float]]


class Reader:
    """Asks one server the same question again and again."""

    def __init__(self, port: int, path: str, api_key: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._path = path
        self._headers = {"Authorization": f"Bearer {api_key}"}

    def ask(self) -> bytes:
        """The answer; raises CannotRun where it is no success."""
        self._connection.request("GET", self._path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise CannotRun(f"the read API answers {answer.status}: {body.decode(errors='replace')}")
        return body

    def p95_ms(self, times: int) -> float:
        """Of so many answers, one after another, on a connection that is new: a server closes one that is idle."""
        self._connection.close()
        self.ask()
        took_ms = []
        for _ in range(times):
            began_at = time.perf_counter()
            self.ask()
            took_ms.append((time.perf_counter() - began_at) * 1_000)
        return sorted(took_ms)[-(times // 20 + 1)]


def measure_reads(stand: Stand, schedule: Schedule, web: Process, bare: Process) -> Reads:
    """Fill one project for each number of events, then ask about all of them in turn. A worker must be running."""
    now = datetime.now(UTC)
    keys = {events: stand.create_key(_project(events)) for events in schedule.read_events}
    readers: dict[tuple[str, int], Reader] = {}
    for events, api_key in keys.items():
        readers |= _readers(stand, web, events, api_key, now)
    bare_reader = Reader(bare.port, ANALYTICS_PATH, "none")
    p95_ms: dict[tuple[str, int], list[float]] = {name: [] for name in readers}
    bare_p95_ms = []
    for _ in range(schedule.rounds):
        bare_p95_ms.append(bare_reader.p95_ms(schedule.reads_per_round))
        for name, reader in readers.items():
            p95_ms[name].append(reader.p95_ms(schedule.reads_per_round))
    trickle_events = schedule.read_events[1]
    beside = {subject: readers[subject, trickle_events] for subject in SUBJECTS}
    source = single_source(stand, web.url, keys[trickle_events])
    return Reads(p95_ms, bare_p95_ms, trickle_events, _beside_a_trickle(stand, schedule, source, beside))


def _beside_a_trickle(
    stand: Stand, schedule: Schedule, source: Source, readers: Mapping[str, Reader]
) -> dict[str, list[float]]:
    """In its second half, when as much waits for the next fold as always does."""
    rate, log_path = EVENTS_A_MONTH / SECONDS_A_MONTH, stand.folder / "trickle.log"
    load = start_load(stand.guard, source, schedule.steady_seconds, think_ms=think_ms_for(rate), log_path=log_path)
    time.sleep(schedule.steady_seconds / 2)
    p95_ms: dict[str, list[float]] = {subject: [] for subject in readers}
    for _ in range(schedule.rounds):
        for subject, reader in readers.items():
            p95_ms[subject].append(reader.p95_ms(schedule.reads_per_round))
    if load.exit_code() is not None:
        raise CannotRun("the trickle ended before all had been read")
    finished_load(load, source, log_path)
    return p95_ms


def reads_figures(reads: Reads) -> list[Figure]:
    """Rows of the table: the smallest number of events beside bare Flask, the larger ones beside the smallest."""
    return list(_rows(reads))


def _rows(reads: Reads) -> Iterator[Figure]:
    fewest, *more = sorted({events for _, events in reads.p95_ms})
    for subject in SUBJECTS:
        name, few = f"read API p95, {subject}, 30 days", reads.p95_ms[subject, fewest]
        yield Figure(f"{name}, {fewest:,} events", "ms", few, reads.bare_p95_ms, BARE, AT_MOST)
        for events in more:
            p95_ms = reads.p95_ms[subject, events]
            yield Figure(f"{name}, {events:,} events", "ms", p95_ms, few, f"{fewest:,} events", AT_MOST)
        still, flowing = reads.p95_ms[subject, reads.trickle_events], reads.trickle_p95_ms[subject]
        name = f"{name}, {reads.trickle_events:,} events, beside a steady trickle"
        yield Figure(name, "ms", flowing, still, "without it", AT_MOST)


def _project(events: int) -> str:
    return f"{events} events"


def _readers(stand: Stand, web: Process, events: int, api_key: str, now: datetime) -> dict[tuple[str, int], Reader]:
    with connect(stand.postgres.url, application_name="bench", statement_timeout_ms=LOAD_TIMEOUT_MS) as connection:
        stored = store_history(connection, insert_project(connection, _project(events)), events, now)
    question = urlencode({"from": history_start(now).isoformat(), "to": now.isoformat()})
    paths = (ANALYTICS_PATH, f"{ANALYTICS_PATH}/{prompt_id(0)}")
    readers = [Reader(web.port, f"{path}?{question}", api_key) for path in paths]
    shown = json.loads(readers[0].ask())["data"]["totals"]["events"]
    if shown != stored:
        raise CannotRun(f"the read API shows {shown} of {stored} events")
    return {(subject, events): reader for subject, reader in zip(SUBJECTS, readers, strict=True)}
