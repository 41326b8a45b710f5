"""A real Redis as a child process: on 127.0.0.1 only, with a password, every write kept in one folder."""

import secrets
import socket
from pathlib import Path

from app.local.binaries import RedisBinary, find_redis
from app.local.children import Child, Guard, end_leftovers
from app.local.errors import CannotRun
from app.local.ports import free_port
from app.local.running import write_secret
from app.local.servers import log_path_of, log_size, wait_until_ready

# Redis 7 keeps its append-only file in this folder; older ones would not see it, and would start empty.
MULTI_PART_AOF = "appendonlydir"
MULTI_PART_AOF_SINCE = (7,)
STOP_SECONDS = 15.0
PING_SECONDS = 1.0


class RunningRedis:
    """A server that runs; `stop`, `kill` and `restart` are for those who want to see what happens then."""

    def __init__(self, data_dir: Path, guard: Guard, binary: RedisBinary) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.password = secrets.token_urlsafe(24)
        self.url = f"redis://:{self.password}@127.0.0.1:{self.port}/0"
        self._guard = guard
        self._binary = binary
        self._child = self._launch()

    @property
    def pid(self) -> int:
        return self._child.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._child.exit_code()

    def stop(self) -> None:
        """Lets it write everything to its file."""
        self._child.stop(STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL: what it had answered is in its file (in the system's hands), or that was never promised."""
        self._child.kill()

    def restart(self) -> None:
        """On the same port, with the same data and password, whether it was stopped, killed or still runs."""
        self.stop()
        self._child = self._launch()

    def _launch(self) -> Child:
        end_leftovers(self.data_dir)
        # A file, because every user of the machine can read a command line.
        config_path = self.data_dir / "redis.conf"
        write_secret(config_path, self._config())
        log_path = log_path_of(self.data_dir)
        log_start = log_size(log_path)
        child = self._guard.start([str(self._binary.path), str(config_path)], log_path=log_path)
        wait_until_ready("Redis", child, lambda: _answers(self.port, self.password), log_path, log_start)
        return child

    def _config(self) -> str:
        settings = {
            "bind": "127.0.0.1",
            "port": self.port,
            "requirepass": self.password,
            "dir": f'"{self.data_dir}"',
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())


def start_redis(data_dir: Path, guard: Guard, *, wheels_only: bool = False) -> RunningRedis:
    """Makes the data folder where there is none, and returns when the server answers; its password is new each time.

    The log is written beside the folder. Raises CannotRun, whose message is one line for a person.
    """
    data_dir = data_dir.resolve()
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    binary = find_redis(wheels_only=wheels_only)
    if (data_dir / MULTI_PART_AOF).exists() and binary.version < MULTI_PART_AOF_SINCE:
        raise CannotRun(
            f"{data_dir} was written by Redis 7 or later, which is not here any more: install it again,"
            " or remove the folder to start without the events in it"
        )
    return RunningRedis(data_dir, guard, binary)


def _answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PING_SECONDS) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                part = connection.recv(256)
                if not part:
                    return False
                answer += part
    except OSError:
        return False
    return b"+PONG" in answer
