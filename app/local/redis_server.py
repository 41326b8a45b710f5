"""A real Redis as a child process: on 127.0.0.1 only, with a password, every write kept in one folder."""

import secrets
import socket
from pathlib import Path

from app.local.binaries import RedisBinary, find_redis
from app.local.children import Guard
from app.local.errors import CannotRun
from app.local.running import write_secret
from app.local.servers import RunningServer

# Redis 7 keeps its append-only file in this folder; older ones would not see it, and would start empty.
MULTI_PART_AOF = "appendonlydir"
MULTI_PART_AOF_SINCE = (7,)
PING_SECONDS = 1.0


class RunningRedis(RunningServer):
    name = "Redis"

    def __init__(self, data_dir: Path, guard: Guard, binary: RedisBinary) -> None:
        self._binary = binary
        self.password = secrets.token_urlsafe(24)
        super().__init__(data_dir, guard)
        self.url = f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        # A file, because every user of the machine can read a command line.
        config_path = self.data_dir / "redis.conf"
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
        write_secret(config_path, "".join(f"{name} {value}\n" for name, value in settings.items()))
        return [str(self._binary.path), str(config_path)]

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PING_SECONDS) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    part = connection.recv(256)
                    if not part:
                        return False
                    answer += part
        except OSError:
            return False
        return b"+PONG" in answer


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
