"""How long the read API takes over 30 days, and that this does not depend on the number of events."""

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
from bench.ingest import BARE
from bench.report import Figure, Target
from bench.schedule import Schedule
from bench.stand import Process, Stand

LOAD_TIMEOUT_MS = 600_000
AT_MOST = Target("value", "at most", 50)
SUBJECTS = ("project", "prompt")


@dataclass(frozen=True)
class Reads:
    """p95 in milliseconds by subject and number of events, round by round; and of an empty answer of bare Flask."""

    p95_ms: Mapping[tuple[str, int], Sequence[float]]
    bare_p95_ms: Sequence[float]


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
    """Fill one project for each number of events, then ask about all of them in turn."""
    now = datetime.now(UTC)
    readers: dict[tuple[str, int], Reader] = {}
    for events in schedule.read_events:
        readers |= _readers(stand, web, events, now)
    bare_reader = Reader(bare.port, ANALYTICS_PATH, "none")
    p95_ms: dict[tuple[str, int], list[float]] = {name: [] for name in readers}
    bare_p95_ms = []
    for _ in range(schedule.rounds):
        bare_p95_ms.append(bare_reader.p95_ms(schedule.reads_per_round))
        for name, reader in readers.items():
            p95_ms[name].append(reader.p95_ms(schedule.reads_per_round))
    return Reads(p95_ms, bare_p95_ms)


def reads_figures(reads: Reads) -> list[Figure]:
    """Rows of the table: the smaller number of events beside bare Flask, the larger one beside the smaller."""
    fewer, more = sorted({events for _, events in reads.p95_ms})
    return list(_rows(reads, fewer, more))


def _rows(reads: Reads, fewer: int, more: int) -> Iterator[Figure]:
    for subject in SUBJECTS:
        few, many = reads.p95_ms[subject, fewer], reads.p95_ms[subject, more]
        name = f"read API p95, {subject}, 30 days"
        yield Figure(f"{name}, {fewer:,} events", "ms", few, reads.bare_p95_ms, BARE, AT_MOST)
        yield Figure(f"{name}, {more:,} events", "ms", many, few, f"{fewer:,} events", AT_MOST)


def _readers(stand: Stand, web: Process, events: int, now: datetime) -> dict[tuple[str, int], Reader]:
    project = f"{events} events"
    api_key = stand.create_key(project)
    with connect(stand.postgres.url, application_name="bench", statement_timeout_ms=LOAD_TIMEOUT_MS) as connection:
        stored = store_history(connection, insert_project(connection, project), events, now)
    question = urlencode({"from": history_start(now).isoformat(), "to": now.isoformat()})
    paths = (ANALYTICS_PATH, f"{ANALYTICS_PATH}/{prompt_id(0)}")
    readers = [Reader(web.port, f"{path}?{question}", api_key) for path in paths]
    shown = json.loads(readers[0].ask())["data"]["totals"]["events"]
    if shown != stored:
        raise CannotRun(f"the read API shows {shown} of {stored} events")
    return {(subject, events): reader for subject, reader in zip(SUBJECTS, readers, strict=True)}
