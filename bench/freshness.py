"""How long an event takes from its 204 until the read API shows it."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from uuid import uuid4

from app.core.contract import ANALYTICS_PATH
from app.local.errors import CannotRun
from bench.ingest import single_source
from bench.load_generator import finished_load, start_load, think_ms_for
from bench.report import Figure, Target
from bench.schedule import Schedule
from bench.stand import Process, Stand

PAUSE_SECONDS = 1.2
"""The system is idle when the last wake-up is more than a second ago."""
IDLE_LOOK_SECONDS = 0.002
LOADED_LOOK_SECONDS = 0.02
PROBE_SECONDS = 0.05
LOST_SECONDS = 30.0


@dataclass
class Freshness:
    """Milliseconds: each lone event on an idle system, and of each round under load the 99th percentile."""

    lone_ms: list[float] = field(default_factory=list)
    loaded_p99_ms: list[float] = field(default_factory=list)
    load_per_second: list[float] = field(default_factory=list)


class Probe:
    """A client that posts events of one prompt and counts those that the read API shows; for one thread."""

    def __init__(self, port: int, api_key: str, prompt_id: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=10)
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._prompt_id = prompt_id

    def post(self) -> float:
        """Post one event; returns when it was acknowledged, by time.monotonic."""
        body = json.dumps({"prompt_id": self._prompt_id, "version_hash": "probe", "latency_ms": 1.5})
        headers = {**self._headers, "Idempotency-Key": uuid4().hex}
        if self._request("POST", ANALYTICS_PATH, body, headers)[0] != HTTPStatus.NO_CONTENT:
            raise CannotRun("a probe was not acknowledged")
        return time.monotonic()

    def visible(self) -> int:
        """How many events of the prompt the read API shows."""
        status, body = self._request("GET", f"{ANALYTICS_PATH}/{self._prompt_id}", None, self._headers)
        return int(json.loads(body)["data"]["totals"]["events"]) if status == HTTPStatus.OK else 0

    def _request(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def measure_freshness(stand: Stand, schedule: Schedule, web: Process, api_key: str, half_rate: float) -> Freshness:
    """Lone events one after another, then probes among the load of `half_rate` events a second."""
    freshness = Freshness()
    probe = Probe(web.port, api_key, str(uuid4()))
    for number in range(schedule.lone_events + 1):
        time.sleep(PAUSE_SECONDS)
        delay_ms = _lone_delay_ms(probe, already_shown=number)
        # The first one also makes its prompt known.
        freshness.lone_ms += [delay_ms] if number else []
    for number in range(schedule.rounds):
        source = single_source(stand, web.url, api_key)
        log_path = stand.folder / f"load-{number}.log"
        load = start_load(
            stand.guard, source, schedule.seconds + 1, think_ms=think_ms_for(half_rate), log_path=log_path
        )
        delays_ms = _probe_under_load(web, api_key, schedule.seconds)
        freshness.load_per_second.append(finished_load(load, source, log_path).requests_per_second)
        freshness.loaded_p99_ms.append(sorted(delays_ms)[-(len(delays_ms) // 100 + 1)])
    return freshness


def freshness_figures(freshness: Freshness) -> list[Figure]:
    """Rows of the table."""
    return [
        Figure("fresh: lone event on an idle system", "ms", freshness.lone_ms, target=Target("value", "at most", 100)),
        Figure("fresh: p99 at half load", "ms", freshness.loaded_p99_ms, target=Target("value", "at most", 1_500)),
    ]


def _lone_delay_ms(probe: Probe, *, already_shown: int) -> float:
    acknowledged_at = [probe.post()]
    return _delays_ms(
        lambda: probe.visible() - already_shown, acknowledged_at, lambda: False, look_seconds=IDLE_LOOK_SECONDS
    )[0]


def _probe_under_load(web: Process, api_key: str, seconds: int) -> list[float]:
    """Delays in milliseconds of one probe every 50 ms. One thread posts, this one looks."""
    prompt_id = str(uuid4())
    acknowledged_at: list[float] = []
    poster = Probe(web.port, api_key, prompt_id)

    def post_probes() -> None:
        for number in range(count):
            time.sleep(max(0.0, began_at + number * PROBE_SECONDS - time.monotonic()))
            acknowledged_at.append(poster.post())

    count = int(seconds / PROBE_SECONDS)
    began_at = time.monotonic()
    thread = threading.Thread(target=post_probes, daemon=True)
    thread.start()
    looker = Probe(web.port, api_key, prompt_id)
    delays_ms = _delays_ms(looker.visible, acknowledged_at, thread.is_alive, look_seconds=LOADED_LOOK_SECONDS)
    if len(delays_ms) != count:
        raise CannotRun(f"only {len(delays_ms)} of {count} probes were acknowledged")
    return delays_ms


def _delays_ms(
    visible: Callable[[], int],
    acknowledged_at: Sequence[float],
    still_posting: Callable[[], bool],
    *,
    look_seconds: float,
) -> list[float]:
    """How long after its acknowledgement each event was seen. Events come out in the order in which they went in."""
    delays_ms: list[float] = []
    deadline = time.monotonic() + LOST_SECONDS
    while still_posting() or len(delays_ms) < len(acknowledged_at):
        seen = min(visible(), len(acknowledged_at))
        now = time.monotonic()
        if seen > len(delays_ms):
            deadline = now + LOST_SECONDS
        elif now > deadline:
            raise CannotRun(f"an acknowledged event was not visible after {LOST_SECONDS:.0f} s")
        delays_ms += [(now - acknowledged_at[number]) * 1_000 for number in range(len(delays_ms), seen)]
        time.sleep(look_seconds)
    return delays_ms
