"""Negative controls: six sabotaged builds, which must each be caught. A proof that can't fail proves nothing."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.local.errors import CannotRun
from chaos.folding import wait_until_folded
from chaos.injections import CrashPoint, expect_applied
from chaos.servers import Servers, open_servers, start_chaos_redis
from chaos.service import Service, open_service
from chaos.verdict import Verdict, verdict_on

EVENTS = 400
SINGLE_PAUSE_SECONDS = 0.01
REDELIVERIES = 1
WEB_KILLS = 3
BEFORE_XACK = CrashPoint("before XACK", "app.core.stream.buffer:EventBuffer.acknowledge", "before", REDELIVERIES)
BEFORE_COMMIT = CrashPoint("before COMMIT", "app.core.queries.additions:append_additions", "after", REDELIVERIES)
BEFORE_MERGE = CrashPoint("before the rollups of a fold", "app.core.queries.rollups:merge_rollups", "before")


@dataclass(frozen=True)
class Control:
    """`symptoms`: of these figures the checker must call at least one broken. `trial` brings the fault about."""

    name: str
    symptoms: frozenset[str]
    trial: Callable[[Service], None]
    crash: CrashPoint | None = None
    is_injected: bool = True


@dataclass(frozen=True)
class Outcome:
    """`baseline`: of the same trial without the sabotage, where a crash belongs to it: it must break nothing."""

    control: Control
    verdict: Verdict
    baseline: Verdict | None = None

    @property
    def is_caught(self) -> bool:
        caught = bool(self.control.symptoms & set(self.verdict.broken))
        return caught and (self.baseline is None or self.baseline.holds)


def post_some(service: Service) -> None:
    """Until enough are acknowledged. What fails, fails by the crashes that the build brings."""
    orders = {"single_clients": 3, "batch_clients": 1, "batch_events_per_second": 500, "largest_batch": 100}
    with service.load(1, single_pause_seconds=SINGLE_PAUSE_SECONDS, **orders):
        service.wait_for(EVENTS)


def post_and_fold(service: Service) -> None:
    """What was posted is folded, and for some of it that takes a second attempt."""
    post_some(service)
    service.wait_until_empty()
    wait_until_folded(service)


def post_without_workers(service: Service) -> None:
    """A backlog, as when workers or PostgreSQL are away for a while."""
    workers = [name for name in service.processes if name != "web"]
    with service.platform.holding(*workers):
        for worker in service.workers:
            worker.stop()
        post_some(service)


def kill_web_under_load(service: Service) -> None:
    with service.load(1, single_clients=3, single_pause_seconds=SINGLE_PAUSE_SECONDS, batch_clients=0):
        for _ in range(WEB_KILLS):
            service.wait_for(EVENTS // WEB_KILLS)
            for child in psutil.Process(service.web.pid).children():
                child.send_signal(signal.SIGKILL)


def restart_redis_with_a_backlog(service: Service) -> None:
    """Its append-only file is off: that is this build's fault."""
    post_without_workers(service)
    service.servers.redis.kill()
    service.servers.redis.restart()


LOSS = frozenset({"lost"})
CONTROLS = (
    Control("dedupe off", frozenset({"doubled"}), post_some, crash=BEFORE_XACK),
    Control("XACK before COMMIT", LOSS, post_some, crash=BEFORE_COMMIT),
    Control("stream trimmed by length", LOSS, post_without_workers),
    Control("204 before Redis answered", LOSS, kill_web_under_load),
    Control("fold in two transactions", frozenset({"rollups that differ"}), post_and_fold, crash=BEFORE_MERGE),
    Control("append-only file off", LOSS, restart_redis_with_a_backlog, is_injected=False),
)


def run_controls(folder: Path, names: frozenset[str] | None = None) -> list[Outcome]:
    """Each on a service of its own. CannotRun where a sabotage can't be applied to the code any more."""
    with open_servers(folder) as servers:
        return [run_control(servers, control) for control in CONTROLS if names is None or control.name in names]


def run_control(servers: Servers, control: Control, *, with_baseline: bool = True) -> Outcome:
    if not control.is_injected:
        servers = Servers(
            servers.folder,
            servers.guard,
            servers.postgres,
            start_chaos_redis(servers.folder / "redis-volatile", servers.guard, "--appendonly", "no"),
        )
    sabotages = [control.name] if control.is_injected else []
    verdict = _verdict_with(servers, control, sabotages)
    return Outcome(control, verdict, _verdict_with(servers, control, []) if control.crash and with_baseline else None)


def _verdict_with(servers: Servers, control: Control, sabotages: list[str]) -> Verdict:
    crashes = [control.crash] if control.crash else []
    folder_name = f"control-{control.name.replace(' ', '-')}-{len(sabotages)}"
    with open_service(servers, folder_name, crashes=crashes, sabotages=sabotages) as service:
        try:
            service.wait_until_up()
            control.trial(service)
            service.wait_until_empty()
        except CannotRun:
            # why it did not come so far: perhaps a sabotage that is out of date
            for name in (*sabotages, *(crash.name for crash in crashes)):
                expect_applied(service.folder, name)
            raise
        for name in (*sabotages, *(crash.name for crash in crashes)):
            expect_applied(service.folder, name)
        return verdict_on(service)
