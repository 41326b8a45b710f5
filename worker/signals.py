"""What SIGTERM and SIGINT do while RQ has no handlers of its own in place; those are in worker/rq_worker.py."""

import signal
from types import FrameType

from worker.runner import Runner


def stop_on_signals(process: Runner) -> None:
    """Until RQ puts its own handlers in place, a signal only sets the flag that the drain looks at."""

    def stop(_signum: int, _frame: FrameType | None) -> None:
        process.request_stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
