"""What the service itself says that it has lost: the one place that compares it with the ledger."""

import json
import sys
import time

from app.local.children import REPOSITORY
from chaos.service import Service
from chaos.verdict import Verdict

KEY = "lost_events"
NOTICED_SECONDS = 120.0


def reported_loss(service: Service, lost: int) -> int | None:
    """As `python -m app status --json` has it; None where this release does not count losses.

    It is given two minutes to come to the number that the ledger shows, then what it says stands.
    """
    deadline = time.monotonic() + NOTICED_SECONDS
    told = _status(service)
    while told is not None and told != lost and time.monotonic() < deadline:
        time.sleep(1)
        told = _status(service)
    return told


def _status(service: Service) -> int | None:
    command = [sys.executable, "-m", "app", "status", "--json"]
    environment = {**service.environment, "DATABASE_URL": service.database_url, "REDIS_URL": service.servers.redis.url}
    told = service.servers.guard.run(command, name="status", environment=environment, cwd=REPOSITORY)
    lost: int | None = json.loads(told).get(KEY)
    return lost


def loss_is_told(verdict: Verdict, reported: int | None) -> bool:
    """Whether nothing is wrong but losses, and these are known to their number, where the release counts them."""
    return verdict.only_losses and reported in (None, verdict.figures["lost"])


def said(reported: int | None) -> str:
    """For the report."""
    if reported is None:
        return "this release does not count what was lost"
    return f"`status` says that {reported:,} events were lost"
