"""What the service itself says that it has lost: the one place that compares it with the ledger of the clients."""

import json
import sys
import time
from dataclasses import dataclass

import psycopg

from app.local.children import REPOSITORY
from chaos.service import Service
from chaos.verdict import Verdict

KEY = "lost_events"
NOTICED_SECONDS = 120.0

SELECT_LEDGER_STATE = """
SELECT (SELECT count(*) FROM acknowledgements),
       (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM losses_id_seq)
"""


@dataclass(frozen=True)
class Detector:
    """What the loss detector has come to after things had settled.

    `told`: how many events it says are lost. `unsettled`: acknowledgements of which it does not know what became: with
    none it has looked at all of them. `alarms`: how often it has ever taken events for lost, also those that it found
    again.
    """

    told: int
    unsettled: int
    alarms: int

    def is_right(self, lost: int) -> bool:
        """Whether it knows the number that the clients' ledger shows, and has cried wolf at no time."""
        return self.told == lost and self.unsettled == 0 and (lost > 0 or self.alarms == 0)

    def __str__(self) -> str:
        return f"the loss detector tells {self.told:,} lost events, after {self.alarms} alarms"


def ask_detector(service: Service, lost: int) -> Detector:
    """It is given two minutes to come to the number that the clients' ledger shows, then what it says stands."""
    deadline = time.monotonic() + NOTICED_SECONDS
    while True:
        _wait_until_settled(service, deadline)
        found = _look(service)
        if (found.told == lost and not found.unsettled) or time.monotonic() >= deadline:
            return found
        time.sleep(1)


def _wait_until_settled(service: Service, deadline: float) -> None:
    """By asking PostgreSQL, which costs a hundredth of what the command does that is asked then."""
    while _ledger_state(service)[0] and time.monotonic() < deadline:
        time.sleep(0.2)


def _look(service: Service) -> Detector:
    command = [sys.executable, "-m", "app", "status", "--json"]
    environment = {**service.environment, "DATABASE_URL": service.database_url, "REDIS_URL": service.servers.redis_url}
    told = service.servers.guard.run(command, name="status", environment=environment, cwd=REPOSITORY)
    return Detector(int(json.loads(told)[KEY]), *_ledger_state(service))


def _ledger_state(service: Service) -> tuple[int, int]:
    with psycopg.connect(service.database_url) as connection:
        row = connection.execute(SELECT_LEDGER_STATE).fetchone()
    assert row is not None
    unsettled, alarms = row
    return int(unsettled), int(alarms)


def loss_is_told(verdict: Verdict, detector: Detector) -> bool:
    """Whether nothing is wrong but losses, and these are known to their number."""
    return verdict.only_losses and detector.is_right(verdict.figures["lost"])
