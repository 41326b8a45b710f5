"""One scenario: a fault under load, after which the law must hold again."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import psutil
import psycopg
import redis

from app.local.errors import CannotRun
from chaos.detector import Detector, ask_detector, loss_is_told
from chaos.proxy import Proxy
from chaos.servers import Servers
from chaos.service import Service, open_service
from chaos.verdict import Verdict, verdict_on

SETTLE_SECONDS = 120.0


@dataclass
class Trial:
    """What a scenario works with. The proxies stand before the servers where it asked for them."""

    service: Service
    seed: int
    is_short: bool
    redis_proxy: Proxy | None = None
    postgres_proxy: Proxy | None = None
    facts: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def seconds(self, short: float, long: float) -> float:
        return short if self.is_short else long

    def times(self, short: int, long: int) -> int:
        return short if self.is_short else long

    def last(self, short: float, long: float) -> None:
        """Let the fault last for so long. The one place where a scenario waits for time, and not for something."""
        time.sleep(self.seconds(short, long))

    @contextmanager
    def load(self, **orders: float | str) -> Iterator[None]:
        """A moderate one, if not told otherwise; in the short form single clients rest, for the sake of other tests."""
        given = {"single_clients": 3, "batch_clients": 1, "batch_events_per_second": 500, "largest_batch": 100}
        rest = {"single_pause_seconds": self.seconds(0.02, 0)}
        with self.service.load(self.seed, **{**given, **rest, **orders}):
            yield

    def expect(self, what: str, *, is_so: bool) -> None:
        """Where it is not so, the scenario fails, and says what."""
        if not is_so:
            self.complaints.append(f"not so: {what}")


@dataclass(frozen=True)
class Scenario:
    """`loses`: acknowledged events may be missing afterwards, and it must be known how many.

    `hindrance` tells why it cannot run here; empty where it can.
    """

    name: str
    run: Callable[[Trial], None]
    loses: bool = False
    is_proxied: bool = False
    workers: int = 2
    settings: tuple[tuple[str, str], ...] = ()
    hindrance: Callable[[], str] = str


@dataclass(frozen=True)
class Result:
    scenario: Scenario
    verdict: Verdict | None
    detector: Detector | None
    seconds: float
    facts: Sequence[str]
    complaints: Sequence[str]
    skipped: str = ""

    @property
    def held(self) -> bool:
        """The law, and whatever else the scenario looked at; what was skipped breaks nothing, and says so."""
        if self.skipped:
            return True
        if self.verdict is None or self.detector is None or self.complaints:
            return False
        return loss_is_told(self.verdict, self.detector) and (self.scenario.loses or self.verdict.holds)


def run_scenario(servers: Servers, scenario: Scenario, *, seed: int, is_short: bool) -> Result:
    """On a fresh database and an empty Redis; both are looked after, and run again at the end."""
    began_at = time.monotonic()
    if reason := scenario.hindrance():
        return Result(scenario, None, None, 0, (), (), f"skipped: {reason}")
    folder = f"scenario-{scenario.name.replace(' ', '-').replace(',', '')}"
    with ExitStack() as stack:
        servers.make_sure_they_run()
        proxies: list[Proxy] = []
        if scenario.is_proxied:
            proxies = [stack.enter_context(Proxy(server.port)) for server in (servers.redis, servers.postgres)]
        ports = {"redis_port": proxies[0].port, "database_port": proxies[1].port} if proxies else {}
        settings = dict(scenario.settings)
        service = stack.enter_context(
            open_service(servers, folder, workers=scenario.workers, **ports, **settings)  # type: ignore[arg-type]
        )
        trial = Trial(service, seed, is_short, *(proxies or (None, None)))
        for name, server in (("PostgreSQL", servers.postgres), ("Redis", servers.redis)):
            service.platform.look_after(name, server)
        verdict, detector = None, None
        try:
            service.wait_until_up()
            scenario.run(trial)
            service.wait_until_empty(SETTLE_SECONDS)
            verdict = verdict_on(service)
            detector = ask_detector(service, verdict.figures["lost"])
        except (CannotRun, psutil.Error, redis.RedisError, psycopg.Error) as error:
            # the other scenarios go on
            trial.complaints.append(f"{type(error).__name__}: {error}")
        if service.platform.failures:
            trial.facts.append(f"{len(service.platform.failures)} starts of a server failed")
        return Result(scenario, verdict, detector, time.monotonic() - began_at, trial.facts, trial.complaints)
