"""The processes of the Procfile, as real processes against given servers."""

import http.client
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

from app.local.children import REPOSITORY, Child, Guard
from app.local.ports import free_port
from app.local.procfile import process_environment, read_procfile, shell_command
from tests.waiting import wait_until

SECRET_KEY = "tests-only-" + "0123456789abcdef" * 2
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
START_SECONDS = 60.0
WORKER_AT_WORK = "worker started"


@dataclass
class AppProcess:
    """One web or worker process; `port` means something for web only."""

    name: str
    port: int
    log_path: Path
    child: Child = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.child.pid

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def warnings(self) -> str:
        """The last lines of its log that are above INFO."""
        return "\n".join([line for line in self.log().splitlines() if '"level": "INFO"' not in line][-40:])

    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self.child.exit_code()

    def stop(self, timeout_seconds: float = 15.0) -> None:
        """SIGTERM to the process alone, as a deploy does it; kills it when it has not gone by then."""
        self.child.stop(timeout_seconds)

    def stop_group(self, timeout_seconds: float = 30.0) -> None:
        """SIGTERM to every process of the group at once, and only once, as Heroku does it."""
        self.terminate_group()
        self.wait(timeout_seconds)

    def terminate_group(self) -> None:
        """The signal of `stop_group`, without waiting."""
        os.killpg(self.pid, signal.SIGTERM)

    def wait(self, timeout_seconds: float) -> None:
        """Until it has ended."""
        wait_until(lambda: self.exit_code() is not None, timeout_seconds)

    def kill(self) -> None:
        """SIGKILL to it and to everything that it started."""
        self.child.kill()


def app_environment(database_url: str, redis_url: str, **settings: str) -> dict[str, str]:
    """What a process gets to see: these servers and settings, and nothing of the environment that tests run in."""
    base = {name: os.environ[name] for name in INHERITED if name in os.environ}
    defaults = {"database_url": database_url, "redis_url": redis_url, "secret_key": SECRET_KEY}
    return process_environment(base, **defaults | settings)


def start_process(
    name: str, guard: Guard, folder: Path, environment: dict[str, str], *, wait: bool = True
) -> AppProcess:
    """Starts `web` or `worker`, which, unless told not to wait, is at work when this returns.

    Web has answered /healthz; a worker heeds signals, or has ended because of its settings.
    """
    port = int(environment.get("PORT") or free_port())
    log_path = folder / f"{name}-{port}.log"
    child = guard.start(
        shell_command(read_procfile()[name]),
        log_path=log_path,
        environment={**environment, "PORT": str(port), "TMPDIR": str(folder)},
        cwd=REPOSITORY,
    )
    process = AppProcess(name, port, log_path, child)
    if name == "web" and wait:
        wait_until(lambda: answers(process), START_SECONDS)
    if name == "worker" and wait:
        wait_until(lambda: WORKER_AT_WORK in process.log() or process.exit_code() is not None, START_SECONDS)
    return process


def answers(process: AppProcess) -> bool:
    if process.exit_code() is not None:
        raise AssertionError(f"{process.name} ended with {process.exit_code()}:\n{process.log()[-4000:]}")
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
