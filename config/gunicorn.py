"""gunicorn's configuration: `gunicorn --config config/gunicorn.py "app.web.application:create_app()"`.

Runs in the master, before gevent has patched the standard library in the workers: nothing here may import psycopg,
which would then block the whole event loop. For the same reason the application is not preloaded.
"""

import atexit
import gc
import os
import shutil
import tempfile
from typing import Any

from gunicorn.glogging import Logger

from config.logging import configure_logging
from config.settings import load_settings_or_exit

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_settings = load_settings_or_exit()


class JsonLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's loggers in our pipeline.

    Not by `logconfig_dict`: with that, gunicorn gathers the fields of an access log line at every request (36 µs),
    whether or not the line is written.
    """

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True
        configure_logging(cfg.loglevel)


bind = f"0.0.0.0:{_settings.port}"
workers = _settings.web_concurrency
worker_class = "app.web.fast.gunicorn.FastWorker" if _settings.fast_paths else "app.web.gunicorn_worker.EnvelopeWorker"
worker_connections = 1_000
loglevel = _settings.log_level
logger_class = JsonLogger
accesslog = None

# Seconds. keepalive is also the deadline for a request's headers, and how long an idle connection puts off a shutdown.
keepalive = 5
timeout = 30
# Heroku kills a dyno 30 s after SIGTERM.
graceful_timeout = 25

limit_request_line = 4_094
limit_request_fields = 64
limit_request_field_size = 8_190
# The application's ProxyFix alone decides whom to believe, by TRUSTED_PROXY_COUNT.
forwarded_allow_ips = ""
# The default is one file per user: a second gunicorn would fight for it.
control_socket_disable = True


def on_starting(_server: Any) -> None:
    """Give the worker processes a folder for their counters, which any of them adds up for /metrics."""
    folder = tempfile.mkdtemp(prefix="prompt-analytics-metrics-")
    os.environ[METRICS_VARIABLE] = folder
    master = os.getpid()

    def remove() -> None:
        # a worker inherits this by the fork
        if os.getpid() == master:
            shutil.rmtree(folder, ignore_errors=True)

    # not in on_exit, which gunicorn passes over when its workers fail to start
    atexit.register(remove)


def child_exit(_server: Any, worker: Any) -> None:
    """Take a dead process out of the gauges of living ones; its counters stay."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - reads the variable when imported

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # the library has no types here


def post_worker_init(_worker: Any) -> None:
    """Leave what lives as long as the process out of garbage collection: a full one would stop it for some 30 ms."""
    gc.collect()
    gc.freeze()
