"""Deploys, and several workers at once."""

from chaos.scenarios.trial import Scenario, Trial

EVENTS = 200


def rolling_deploys(trial: Trial) -> None:
    """SIGTERM to one process after the other, each of which is started again before the next one is asked."""
    restarts = trial.service.platform.restarts
    with trial.load():
        for _ in range(trial.times(2, 20)):
            for name, process in reversed(trial.service.processes.items()):
                before = restarts[name]
                process.ask_to_stop()
                trial.service.wait_until_restarted(name, before)
                trial.service.wait_until_up()
            trial.service.wait_for(EVENTS)


def many_workers(trial: Trial) -> None:
    """All of them store events of the same versions."""
    with trial.load(batch_events_per_second=trial.times(5_000, 15_000), largest_batch=1_000):
        trial.last(5, 180)


PROCESSES = (
    Scenario("rolling deploys", rolling_deploys),
    Scenario("four workers on the same rows", many_workers, workers=4),
)
