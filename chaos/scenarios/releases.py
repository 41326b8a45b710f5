"""Two releases side by side, as a deploy that does not replace all processes at once has them."""

import json
import sys
from pathlib import Path

from app.local.children import REPOSITORY
from chaos.old_release import VERSION, check_out, hindrance
from chaos.scenarios.trial import Scenario, Trial

EVENTS = 300


def old_beside_new(trial: Trial) -> None:
    """The database is migrated; then web goes first, the wrong order, then all go back, and at last the right order."""
    service = trial.service
    old, new = service.folder / f"release-{VERSION}", REPOSITORY
    check_out(old)
    workers = [name for name in service.processes if name != "web"]
    _deploy(trial, old, "web", *workers)
    with trial.load():
        service.wait_for(EVENTS)
        for _ in range(trial.times(1, 10)):
            for release, order in ((new, ["web", *workers]), (old, ["web", *workers]), (new, [*workers, "web"])):
                for name in order:
                    _deploy(trial, release, name)
                    service.wait_for(EVENTS)
                    trial.last(2, 20)
            # so that each turn begins as the first
            _deploy(trial, old, *workers, "web")
        _deploy(trial, new, *workers, "web")
        service.wait_for(EVENTS)
    service.wait_until_empty()
    untraced = _untraced(trial)
    trial.facts.append(f"{untraced:,} events of the new web were stored by workers of {VERSION}")
    trial.expect("workers of the old release stored events of the new web", is_so=untraced > 0)


def _deploy(trial: Trial, release: Path, *names: str) -> None:
    """SIGTERM to one process after the other, each of which is started again from another folder."""
    service = trial.service
    for name in names:
        before = service.platform.restarts[name]
        service.processes[name].run_in(release)
        service.processes[name].ask_to_stop()
        service.wait_until_restarted(name, before)
        service.wait_until_up()


def _untraced(trial: Trial) -> int:
    """By `ledger`, which fails where it does not add up."""
    command = [sys.executable, "-m", "app", "ledger", "--json"]
    environment = trial.service.environment
    told = trial.service.servers.guard.run(command, name="ledger", environment=environment, cwd=REPOSITORY)
    return sum(int(hour["untraced"]) for hour in json.loads(told)["hours"])


RELEASES = (Scenario("an old worker beside a new web, and the reverse", old_beside_new, hindrance=hindrance),)
