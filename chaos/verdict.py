"""What the checker says, as a process of its own, so that nothing of the harness can help it."""

import json
import subprocess
import sys
from dataclasses import dataclass

from app.local.children import REPOSITORY
from app.local.errors import CannotRun
from chaos.service import Service

CHECKER = REPOSITORY / "chaos" / "check.py"
CHECK_SECONDS = 900


@dataclass(frozen=True)
class Verdict:
    """The figures of check.py, and the names of those that break the law."""

    figures: dict[str, int]
    broken: list[str]

    @property
    def holds(self) -> bool:
        return not self.broken

    @property
    def only_losses(self) -> bool:
        """Whether nothing is wrong but that acknowledged events are missing."""
        return set(self.broken) <= {"lost", "accepted"}


def verdict_on(service: Service, *, known_lost: int = 0) -> Verdict:
    """Ask the checker about the ledger and the database of a service. CannotRun where it can't tell."""
    command = [sys.executable, str(CHECKER), "--ledger", str(service.ledger_folder), "--json"]
    command += ["--database-url", service.database_url, "--buffered", str(service.depth())]
    command += ["--known-lost", str(known_lost)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_SECONDS, check=False)
    if not done.stdout:
        raise CannotRun(f"the checker failed: {done.stderr.strip().splitlines()[-1]}")
    return Verdict(**json.loads(done.stdout))
