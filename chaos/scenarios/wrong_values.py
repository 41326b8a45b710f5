"""A client that makes a new version or prompt with nearly every event."""

import psutil
import psycopg

from chaos.scenarios.overload import LARGEST_MB
from chaos.scenarios.trial import Scenario, Trial

DISTINCT = 1_000_000
SENT_FOR_EACH_PAIR = 3
"""Of three events one has a version, and one a prompt, of its own."""
MOST_VERSIONS, MOST_PROMPTS = 200, 1_000
LARGEST_BATCH = 10_000
"""Of a worker: so far the others may go beyond the limits."""
KILLS = 3
REGISTERED = """
SELECT (SELECT count(*) FROM prompts WHERE NOT is_other),
       (SELECT max(versions)
        FROM (SELECT count(*) AS versions FROM prompt_versions WHERE NOT is_other GROUP BY prompt_key) AS of_prompt),
       (SELECT count(*) FROM events JOIN prompt_versions AS version ON version.id = version_key WHERE version.is_other)
"""


def wrong_values(trial: Trial) -> None:
    """A million distinct values, while workers are killed."""
    service, largest_mb = trial.service, 0.0
    events = trial.times(12_000, DISTINCT * SENT_FOR_EACH_PAIR // 2)
    with trial.load(is_wrong=True, batch_clients=4, batch_events_per_second=0, largest_batch=1_000):
        for _ in range(KILLS):
            service.wait_for(events // KILLS, 3_600)
            largest_mb = max(largest_mb, *(_resident_mb(worker.pid) for worker in service.workers))
            service.workers[0].kill()
    service.wait_until_empty(3_600)
    largest_mb = max(largest_mb, *(_resident_mb(worker.pid) for worker in service.workers))
    with psycopg.connect(service.database_url) as connection:
        row = connection.execute(REGISTERED).fetchone()
    assert row is not None
    prompts, versions, under_other = row
    trial.facts.append(f"{prompts:,} prompts and at most {versions:,} versions of one are registered")
    trial.facts.append(f"{under_other:,} events are under (other), a worker has at most {largest_mb:.0f} MB")
    trial.expect("the rest is under (other)", is_so=under_other > 0)
    trial.expect("no more prompts are registered", is_so=prompts <= MOST_PROMPTS + LARGEST_BATCH)
    trial.expect("no more versions are registered", is_so=versions <= MOST_VERSIONS + LARGEST_BATCH)
    trial.expect(f"no worker grows beyond {LARGEST_MB} MB", is_so=largest_mb < LARGEST_MB)


def _resident_mb(pid: int) -> float:
    """0 for a process that has ended."""
    try:
        return float(psutil.Process(pid).memory_info().rss / 1_000_000)
    except psutil.NoSuchProcess:
        return 0.0


WRONG_VALUES = (
    Scenario(
        "a new version or prompt in two of three events",
        wrong_values,
        settings=(
            ("max_new_versions_per_prompt", str(MOST_VERSIONS)),
            ("max_new_prompts_per_project", str(MOST_PROMPTS)),
        ),
    ),
)
