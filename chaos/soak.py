"""The soak: a steady trickle through deploys and kills, in which the loss detector must never cry wolf.

Redis keeps everything (`appendfsync always`), so whatever is told as lost is a false alarm. At the end entries are
deleted behind its back, which it must tell to their number.
"""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from app.core.stream.state import STREAM
from chaos.detector import Detector, ask_detector
from chaos.kills import Killer
from chaos.servers import open_servers
from chaos.service import Service, open_service
from chaos.verdict import Verdict, verdict_on

EVENTS_PER_SECOND = 120
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10.0, 40.0
DEPLOYS_IN = 4
"""Every so manieth disturbance is a rolling deploy, the others are kills."""
DELETED = 25


@dataclass(frozen=True)
class Soak:
    """What the detector says before anything was deleted, and after DELETED entries were."""

    seconds: float
    kills: Counter[str]
    deploys: int
    calm: Detector
    alarmed: Detector
    verdict: Verdict

    @property
    def held(self) -> bool:
        """No alarm but the right one, and nothing wrong but what was deleted."""
        only_deleted = self.verdict.only_losses and self.verdict.figures["lost"] == DELETED
        return only_deleted and self.calm.is_right(0) and self.alarmed.is_right(DELETED)


def run_soak(folder: Path, *, seed: int, minutes: float) -> Soak:
    """On servers and processes of its own."""
    began_at = time.monotonic()
    with open_servers(folder, fsync="always") as servers, open_service(servers, "soak") as service:
        for name, server in (("PostgreSQL", servers.postgres), ("Redis", servers.redis)):
            service.platform.look_after(name, server)
        service.wait_until_up()
        pace = {"single_pause_seconds": 0.1, "batch_events_per_second": EVENTS_PER_SECOND, "largest_batch": 100}
        with service.load(seed, **pace):
            killer, deploys = _disturb(service, Random(seed), until=began_at + minutes * 60)
        service.wait_until_empty(600)
        calm = ask_detector(service, 0)
        _delete_behind_its_back(service, seed)
        alarmed = ask_detector(service, DELETED)
        seconds = time.monotonic() - began_at
        verdict = verdict_on(service)
    return Soak(seconds, killer.kills, deploys, calm, alarmed, verdict)


def _disturb(service: Service, random: Random, *, until: float) -> tuple[Killer, int]:
    """The kills, and the number of deploys."""
    killer, deploys = Killer(service, random), 0
    while time.monotonic() < until:
        if random.randrange(DEPLOYS_IN):
            killer.kill_one()
        else:
            _deploy(service)
            deploys += 1
        time.sleep(random.uniform(SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))
        service.wait_until_up()
    return killer, deploys


def _deploy(service: Service) -> None:
    """SIGTERM to one process after the other; workers first."""
    for name, process in reversed(service.processes.items()):
        before = service.platform.restarts[name]
        process.ask_to_stop()
        service.wait_until_restarted(name, before)
        service.wait_until_up()


def _delete_behind_its_back(service: Service, seed: int) -> None:
    """Entries of acknowledged events, while nobody drains."""
    workers = [name for name in service.processes if name != "web"]
    with service.platform.holding(*workers):
        for name in workers:
            service.processes[name].stop()
        with service.load(seed + 1, single_clients=2, batch_clients=0, keyed_share=0.0):
            service.wait_for(3 * DELETED)
        time.sleep(3)
        with service.redis_client() as client:
            entries: list[Any] = list(client.xrange(STREAM, count=DELETED))
            client.xdel(STREAM, *[entry_id for entry_id, _ in entries])
    service.wait_until_empty(600)
