"""The worker process as the Procfile starts it: its log and its start with wrong settings."""

import json
from collections.abc import Callable

from tests.processes import AppProcess
from tests.waiting import wait_until

Start = Callable[..., AppProcess]


def test_rq_and_our_own_code_log_the_same_json(start: Start):
    process = start("worker", log_level="debug")

    def loggers() -> set[str]:
        return {json.loads(line)["logger"] for line in process.log().splitlines()}

    wait_until(lambda: loggers() >= {"worker", "rq.worker"}, timeout_seconds=20)
    process.stop()
    assert process.exit_code() == 0
    assert loggers() >= {"worker", "rq.worker"}


def test_wrong_settings_end_it_at_once_and_are_named(start: Start):
    process = start("worker", metrics_token="short", retention_days="none")
    wait_until(lambda: process.exit_code() is not None)
    assert process.exit_code() == 1
    lines = process.log().splitlines()
    assert lines[0] == "Wrong settings in the environment:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["METRICS_TOKEN", "RETENTION_DAYS"]
