"""Our RQ worker: runs only our own jobs, in its own process, and ticks every 15 s whatever the queue holds."""

from collections.abc import Callable
from types import FrameType
from typing import Any

import redis
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import BaseDeathPenalty
from rq.utils import decode_redis_hash

from app.core.stream.appending import WAKE_QUEUE
from worker.jobs import ALLOWED
from worker.runner import Runner

TICK_SECONDS = 14
"""RQ waits 15 s for a job and then looks whether this time has passed."""
DEQUEUE_TIMEOUT_SECONDS = 15

READ_FIELDS = frozenset(
    {"data", "created_at", "enqueued_at", "started_at", "ended_at", "origin", "description", "status"}
    | {"ttl", "result_ttl", "failure_ttl", "worker_name", "last_heartbeat"}
)


class OwnJob(Job):
    """A job that runs nothing but the functions in worker.jobs.ALLOWED.

    Whoever can write to Redis could otherwise have the worker call any function that it can import, through the
    job itself or through one of its callbacks, or have it post to any address through a webhook.
    """

    @property
    def func(self) -> Callable[..., Any] | None:
        """The function to call. Raises PermissionError for one that is not ours."""
        if self.func_name not in ALLOWED or self.instance is not None:
            raise PermissionError("this job is not one of ours")
        return super().func  # type: ignore[no-any-return]

    def restore(self, raw_data: Any) -> None:
        """Read the job, and nothing of it that could call, repeat, post or wait for anything."""
        super().restore({name: value for name, value in decode_redis_hash(raw_data).items() if name in READ_FIELDS})


class NoDeathPenalty(BaseDeathPenalty):
    """RQ would raise an exception into a drain after 180 s, in the middle of a transaction; drains bound themselves."""

    def setup_death_penalty(self) -> None:
        """Set no alarm."""

    def cancel_death_penalty(self) -> None:
        """There is none."""


class DrainWorker(SimpleWorker):
    """SIGTERM ends it after the batch in hand, as RQ's HerokuWorker does: no job is ever cut in the middle.

    Jobs run in this very process. RQ's forking worker would open a PostgreSQL connection for every job, and on
    Heroku SIGTERM reaches the fork as well; here there is only one process to receive it.
    """

    death_penalty_class = NoDeathPenalty

    def __init__(self, connection: redis.Redis, process: Runner) -> None:
        """`process.tick` runs at the start, about every 15 s, and at once after a drain or a fold that found no end."""
        queue = Queue(WAKE_QUEUE, connection=connection, serializer=JSONSerializer, job_class=OwnJob)
        super().__init__(
            [queue],
            connection=connection,
            serializer=JSONSerializer,
            job_class=OwnJob,
            maintenance_interval=TICK_SECONDS,
            worker_ttl=DEQUEUE_TIMEOUT_SECONDS + 15,
            default_result_ttl=0,
            log_job_description=False,
        )
        self._process = process
        self._may_be_cut_short = False

    def run_maintenance_tasks(self) -> None:
        super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        waiting, self._may_be_cut_short = self._may_be_cut_short, False
        self._process.tick()
        while self._process.has_more_to_do():
            self.heartbeat()
            self._process.tick()
        self._may_be_cut_short = waiting
        if waiting and self._process.is_stopping():
            raise StopRequested

    @property
    def should_run_maintenance_tasks(self) -> bool:
        return self._process.has_more_to_do() or bool(super().should_run_maintenance_tasks)

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """Wait for a job; only this wait may be cut short by a signal."""
        self._may_be_cut_short = True
        try:
            # A signal from before the wait has found nothing to cut short.
            if self._process.is_stopping():
                raise StopRequested
            return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)
        finally:
            self._may_be_cut_short = False

    def request_stop(self, _signum: int, _frame: FrameType | None) -> None:
        """Handle SIGTERM and SIGINT, however often they come: finish the batch in hand and end."""
        self._process.request_stop()
        if self._may_be_cut_short:
            raise StopRequested
