"""Redis forgets what was in it. Nothing brings that back: what counts is that it is known, to the number."""

import shutil
from collections.abc import Callable
from functools import partial

import redis

from app.core.stream.state import GROUP, STREAM
from chaos.load import NEVER_SENT_AGAIN
from chaos.scenarios.trial import Scenario, Trial

EVENTS = 300


def forget(deed: Callable[[redis.Redis], object], trial: Trial) -> None:
    """At some moments under load, each of which may or may not find something in the buffer."""
    with trial.load(repeated_share=NEVER_SENT_AGAIN):
        for _ in range(trial.times(2, 20)):
            trial.service.wait_for(EVENTS)
            with trial.service.redis_client() as client:
                deed(client)
        trial.service.wait_for(EVENTS)


def restart_empty(trial: Trial) -> None:
    """As a Redis without a disk, or a new one under the old name."""
    server = trial.service.servers.redis
    with trial.load(repeated_share=NEVER_SENT_AGAIN):
        trial.service.wait_for(EVENTS)
        with trial.service.platform.holding("Redis"):
            server.kill()
            for file in server.data_dir.iterdir():
                shutil.rmtree(file) if file.is_dir() else file.unlink()
        trial.service.wait_for(EVENTS)


LOST_DATA = (
    Scenario("Redis restarted empty", restart_empty, loses=True),
    Scenario("FLUSHALL", partial(forget, lambda client: client.flushall()), loses=True),
    Scenario("stream deleted", partial(forget, lambda client: client.delete(STREAM)), loses=True),
    Scenario("group deleted", partial(forget, lambda client: client.xgroup_destroy(STREAM, GROUP))),
)
