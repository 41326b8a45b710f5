"""More than the service can take: it says so, stays small, and is well again at once."""

import contextlib
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from chaos.scenarios.trial import Scenario, Trial

EVENTS = 300
SLOW_SOCKETS = 1_000
CLIENTS = 12
RECOVERY_SECONDS, BUSY_RECOVERY_SECONDS = 10.0, 60.0
"""The second one for machines that are busy with other tests, too."""
LARGEST_MB = 300
SUSPENDED_SECONDS = 0.45
HEAD = b"POST /api/v1/prompts/analytics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"


def slow_sockets(trial: Trial) -> None:
    """A thousand clients that never finish their request; the others are served all the same."""
    with _open_sockets(trial, trial.times(300, SLOW_SOCKETS)) as count, trial.load():
        trial.service.wait_for(EVENTS)
        trial.last(2, 60)
        trial.service.wait_for(EVENTS)
    trial.facts.append(f"{count} slow sockets")


@contextmanager
def _open_sockets(trial: Trial, count: int) -> Iterator[int]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * count)), hard))
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", trial.service.port), 10))
            connection.sendall(HEAD)
        yield count


def overload(trial: Trial) -> None:
    """Batches as fast as they are answered, a small buffer, and a worker that gets a tenth of the time."""
    service, largest_mb = trial.service, dict.fromkeys(("web", "worker", "Redis"), 0.0)
    with trial.load(single_clients=4, batch_clients=CLIENTS, batch_events_per_second=0, largest_batch=1_000):
        ends_at = time.monotonic() + trial.seconds(8, 60)
        while time.monotonic() < ends_at:
            for name, processes in _processes(trial).items():
                largest_mb[name] = max(largest_mb[name], *(each.memory_info().rss / 1_000_000 for each in processes))
            _slow_down(trial)
    began_at, taken = time.monotonic(), service.progress.events()
    with trial.load(single_clients=1, batch_clients=0):
        service.wait_for(1, trial.seconds(BUSY_RECOVERY_SECONDS, RECOVERY_SECONDS))
    refused, unknown = (service.progress.events(word) for word in "RU")
    trial.facts.append(f"{taken:,} events taken, {refused:,} refused, {unknown:,} unknown")
    trial.facts.append(", ".join(f"{name} at most {size:.0f} MB" for name, size in largest_mb.items()))
    trial.facts.append(f"an event is taken again {time.monotonic() - began_at:.1f} s later")
    trial.expect("some were refused", is_so=refused > 0)
    trial.expect(f"no process grows beyond {LARGEST_MB} MB", is_so=max(largest_mb.values()) < LARGEST_MB)


def _slow_down(trial: Trial) -> None:
    """A worker on a busy machine."""
    for worker in _processes(trial)["worker"]:
        worker.suspend()
        time.sleep(SUSPENDED_SECONDS)
        worker.resume()
    time.sleep(SUSPENDED_SECONDS / 9)


def _processes(trial: Trial) -> dict[str, list[psutil.Process]]:
    service = trial.service
    return {
        "web": psutil.Process(service.web.pid).children(),
        "worker": [psutil.Process(worker.pid) for worker in service.workers],
        "Redis": [psutil.Process(service.servers.redis.pid)],
    }


OVERLOAD = (
    Scenario("slow sockets", slow_sockets),
    Scenario("ten times overload", overload, workers=1, settings=(("buffer_max_events", "5000"),)),
)
