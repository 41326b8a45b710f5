"""What may lie in the buffer: poison, and entries that dead workers hold."""

import redis

from app.core.stream.state import GROUP, STREAM
from chaos.crash_points import age_pending
from chaos.planting import planting
from chaos.scenarios.trial import Scenario, Trial

POISON_EVERY = 1_000
POISON = (
    b"",
    b"\xff\x00\xfe",
    b"not JSON",
    b"{}",
    b'[9,"00000000000000000000000000000000",1,"00000000000000000000000000000000","v",null,null,null]',
    b'[1,"00000000000000000000000000000000",99999999,"00000000000000000000000000000000","v",null,null,null]',
    b'[1,"00000000000000000000000000000000",1,"00000000000000000000000000000000","\\u0000",null,null,null]',
    b'[1,"00000000000000000000000000000000",1,"00000000000000000000000000000000","v","NaN",null,null]',
    b'[1,"00000000000000000000000000000000",1,"00000000000000000000000000000000","v","1e999",null,null]',
)
DEAD_CONSUMERS, HELD_BY_EACH = 50, 200


def poison(trial: Trial) -> None:
    """One entry in a thousand can never be stored, each in another way; all others must be."""

    def plant(client: redis.Redis, planted: int) -> int:
        while planted < trial.service.progress.events() // POISON_EVERY:
            client.xadd(STREAM, {"e": POISON[planted % len(POISON)]})
            planted += 1
        return planted

    with (
        planting(trial.service, plant, pause_seconds=0.1) as planted,
        trial.load(batch_events_per_second=5_000, largest_batch=1_000),
    ):
        trial.service.wait_for(trial.times(10_000, 300_000), 600)
    trial.expect("poison was planted", is_so=planted[0] > 0)


def dead_consumers(trial: Trial) -> None:
    """Ten thousand entries are held by fifty workers that will never come back."""
    names = [name for name in trial.service.processes if name != "web"]
    with trial.service.platform.holding(*names):
        for worker in trial.service.workers:
            worker.stop()
        with trial.load(batch_events_per_second=0, largest_batch=1_000):
            trial.service.wait_for(DEAD_CONSUMERS * HELD_BY_EACH)
        with trial.service.redis_client() as client:
            for number in range(DEAD_CONSUMERS):
                client.xreadgroup(GROUP, f"dead-{number}", {STREAM: ">"}, count=HELD_BY_EACH)
            held = client.xpending(STREAM, GROUP)["pending"]
            age_pending(client)
    trial.facts.append(f"{held:,} entries held")
    trial.expect("ten thousand entries were held", is_so=held >= DEAD_CONSUMERS * HELD_BY_EACH)


BACKLOGS = (
    Scenario(f"poison, 1 in {POISON_EVERY:,}", poison),
    Scenario("entries of 50 dead workers", dead_consumers),
)
