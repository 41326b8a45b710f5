"""The kill run: everything of the service is killed under load, and then the checker is asked."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from chaos.artifacts import Artifact, keep
from chaos.detector import Detector, ask_detector, loss_is_told
from chaos.kills import KINDS, Killer
from chaos.load import NEVER_SENT_AGAIN
from chaos.servers import Fsync, open_servers
from chaos.service import Service, open_service
from chaos.verdict import Verdict, verdict_on

SAY_SECONDS = 60.0
MOST_BETWEEN_KILLS_SECONDS = 15.0


@dataclass(frozen=True)
class Extent:
    """How far a kill run goes: until both numbers are reached; `at_most_seconds` bounds it where they are not.

    `single_pause_seconds`: between two events of a client that sends single ones. `events_between_kills`: so many are
    acknowledged after a kill before the next one, or it has waited for MOST_BETWEEN_KILLS_SECONDS.
    """

    events: int
    kills: int
    batch_events_per_second: int
    at_most_seconds: float
    shortest_pause_seconds: float = 1.0
    longest_pause_seconds: float = 5.0
    recovery_seconds: float = 60.0
    single_pause_seconds: float = 0.0
    events_between_kills: int = 0


SHORT = Extent(
    2_000, 8, 1_000, 150, 0.5, 1.5, recovery_seconds=180, single_pause_seconds=0.02, events_between_kills=200
)
"""For machines that are busy with other tests, too: there no web process may be up between two kills by the clock."""
LONG = Extent(5_000_000, 500, 4_500, 3_600)


@dataclass(frozen=True)
class KillRun:
    """What became of it. `recovery_seconds`: from the last kill until the buffer was empty."""

    fsync: Fsync
    seed: int
    extent: Extent
    kills: Counter[str]
    restarts: Counter[str]
    seconds: float
    recovery_seconds: float
    verdict: Verdict
    detector: Detector
    artifacts: Sequence[Artifact]

    @property
    def held(self) -> bool:
        """The law, the extent that was asked for, and recovery in time."""
        reached = self.verdict.figures["acked"] >= self.extent.events and self.kills.total() >= self.extent.kills
        law = self.verdict.holds or self.fsync != "always"
        law &= loss_is_told(self.verdict, self.detector)
        return law and reached and self.recovery_seconds <= self.extent.recovery_seconds


def run_kills(folder: Path, *, fsync: Fsync, seed: int, extent: Extent, results: Path | None = None) -> KillRun:
    """On servers and processes of its own. Ledger and dump are kept in `results`."""
    with open_servers(folder, fsync=fsync) as servers, open_service(servers, f"kills-{fsync}") as service:
        for name, server in (("PostgreSQL", servers.postgres), ("Redis", servers.redis)):
            service.platform.look_after(name, server)
        service.wait_until_up()
        run = kill_under_load(service, fsync=fsync, seed=seed, extent=extent)
        return run if results is None else replace(run, artifacts=keep(service, results, f"kills-{fsync}"))


def kill_under_load(service: Service, *, fsync: Fsync, seed: int, extent: Extent) -> KillRun:
    """The servers must be looked after, too."""
    killer = Killer(service, Random(seed))
    began_at = said_at = time.monotonic()

    def goes_on() -> bool:
        nonlocal said_at
        now = time.monotonic()
        if now - said_at > SAY_SECONDS:
            said_at = now
            print(f"  {now - began_at:5.0f} s: {service.progress.events():,} acked, {killer.kills.total()} kills")
        _wait_for_more(service, extent.events_between_kills)
        reached = service.progress.events() >= extent.events and killer.kills.total() >= extent.kills
        return not reached and now - began_at < extent.at_most_seconds

    orders: dict[str, float] = {
        "batch_events_per_second": extent.batch_events_per_second,
        "single_pause_seconds": extent.single_pause_seconds,
    }
    if fsync == "everysec":
        orders["repeated_share"] = NEVER_SENT_AGAIN
    with service.load(seed, **orders):
        pauses = {"shortest_seconds": extent.shortest_pause_seconds, "longest_seconds": extent.longest_pause_seconds}
        killer.run(goes_on, **pauses)
        last_kill_at = time.monotonic()
    service.wait_until_empty(10 * extent.recovery_seconds)
    recovery_seconds = time.monotonic() - last_kill_at
    verdict = verdict_on(service)
    return KillRun(
        fsync=fsync,
        seed=seed,
        extent=extent,
        kills=Counter({kind: killer.kills[kind] for kind in KINDS}),
        restarts=service.platform.restarts,
        seconds=last_kill_at - began_at,
        recovery_seconds=recovery_seconds,
        verdict=verdict,
        detector=ask_detector(service, verdict.figures["lost"]),
        artifacts=(),
    )


def _wait_for_more(service: Service, events: int) -> None:
    goal, deadline = service.progress.events() + events, time.monotonic() + MOST_BETWEEN_KILLS_SECONDS
    while service.progress.events() < goal and time.monotonic() < deadline:
        time.sleep(0.05)
