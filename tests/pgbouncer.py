"""A real PgBouncer in transaction mode as a child process, before the PostgreSQL of the tests."""

import shutil
import socket
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from app.local.children import Guard
from app.local.identity import postgres_identity
from app.local.servers import RunningServer

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
POOL_SIZE = 3
"""Fewer server connections than web, workers and commands have: they must take turns."""


class RunningPgBouncer(RunningServer):
    name = "PgBouncer"
    # SIGTERM in its old releases and SIGINT wait for clients to go, which pools never do; this one does not.
    stop_signal = "TERM"

    def __init__(self, data_dir: Path, guard: Guard, database_url: str, *, extra: str = "") -> None:
        """`extra`: lines of its configuration."""
        assert PROGRAM is not None
        self._server = urlsplit(database_url)
        self._extra = extra
        data_dir.mkdir(parents=True)
        identity = postgres_identity(Path(PROGRAM))
        identity.give(data_dir)
        super().__init__(data_dir, guard, identity)
        host = f"{self._server.username}:{self._server.password}@127.0.0.1:{self.port}"
        self.url = urlunsplit(self._server._replace(netloc=host))

    def _command(self) -> list[str]:
        users = self.data_dir / "users.txt"
        users.write_text(f'"{self._server.username}" "{self._server.password}"\n')
        users.chmod(0o644)
        configuration = self.data_dir / "pgbouncer.ini"
        configuration.write_text(
            f"[databases]\n* = host=127.0.0.1 port={self._server.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {users}\npool_mode = transaction\n"
            f"default_pool_size = {POOL_SIZE}\nmax_client_conn = 200\n{self._extra}"
        )
        configuration.chmod(0o644)
        return [str(PROGRAM), str(configuration)]

    def _is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
