"""A real PostgreSQL as a child process: on 127.0.0.1 only, with a password, its data in one folder."""

import secrets
import shutil
from pathlib import Path

from app.local.binaries import PostgresBinaries, find_postgres
from app.local.children import Guard
from app.local.errors import CannotRun
from app.local.identity import Identity, postgres_identity
from app.local.running import write_secret
from app.local.servers import RunningServer

NAME = "prompt_analytics"
# It lies with the data, so that both are kept, moved and removed together.
PASSWORD_NAME = "local-password"  # noqa: S105 - the name of a file
NEEDED_NAMES = ("PG_VERSION", PASSWORD_NAME, "global/pg_control", "base", "pg_wal", "postgresql.conf", "pg_hba.conf")
MAKING_DATA = "PostgreSQL's data folder could not be made"
STATUS_LINE = 7
# Tests need not wait for a disk, but what was committed must survive kill -9: so synchronous_commit stays on.
NOT_DURABLE = ("-c", "fsync=off", "-c", "full_page_writes=off")


class RunningPostgres(RunningServer):
    name = "PostgreSQL"
    stop_signal = "INT"

    def __init__(
        self, data_dir: Path, guard: Guard, binaries: PostgresBinaries, identity: Identity, *, durable: bool
    ) -> None:
        self.binaries = binaries
        self._durable = durable
        self._pid_file = data_dir / "postmaster.pid"
        super().__init__(data_dir, guard, identity)
        password = (data_dir / PASSWORD_NAME).read_text()
        self.url = f"postgresql://{NAME}:{password}@127.0.0.1:{self.port}/{NAME}"

    def _command(self) -> list[str]:
        # The number in it may belong to another process by now, and PostgreSQL would not dare to start.
        self._pid_file.unlink(missing_ok=True)
        command = [
            str(self.binaries.folder / "postgres"),
            "-D",
            str(self.data_dir),
            "-p",
            str(self.port),
            "-h",
            "127.0.0.1",
        ]
        command += ["-c", "unix_socket_directories=", "-c", "logging_collector=off", "-c", "log_destination=stderr"]
        return command if self._durable else [*command, *NOT_DURABLE]

    def _is_ready(self) -> bool:
        """As pg_ctl sees it: PostgreSQL writes its state into the file with its number."""
        try:
            lines = self._pid_file.read_text().splitlines()
        except OSError:
            return False
        return len(lines) > STATUS_LINE and lines[STATUS_LINE].strip() == "ready"


def start_postgres(
    data_dir: Path,
    guard: Guard,
    *,
    durable: bool = True,
    wheels_only: bool = False,
    programs: Path | None = None,
) -> RunningPostgres:
    """Makes the data folder where there is none, and returns when the server accepts connections.

    `programs`: the folder with those of a PostgreSQL that is not to be looked for. The log is written beside the data
    folder. Raises CannotRun, whose message is one line for a person.
    """
    data_dir = data_dir.resolve()
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    major = _major_of(data_dir)
    binaries = find_postgres(major=major, wheels_only=wheels_only, programs=programs)
    identity = postgres_identity(binaries.folder / "postgres")
    if major is None:
        _make_data(data_dir, guard, binaries, identity, durable=durable)
    return RunningPostgres(data_dir, guard, binaries, identity, durable=durable)


def _major_of(data_dir: Path) -> int | None:
    """The version that made the data; None where there is none; CannotRun where some of it is missing."""
    if not data_dir.exists() or not any(data_dir.iterdir()):
        return None
    missing = [name for name in NEEDED_NAMES if not (data_dir / name).exists()]
    if missing:
        raise CannotRun(
            f"{data_dir} is damaged ({missing[0]} is missing): put it back from a copy,"
            " or remove the folder to start afresh without its events"
        )
    return int((data_dir / "PG_VERSION").read_text())


def _make_data(data_dir: Path, guard: Guard, binaries: PostgresBinaries, identity: Identity, *, durable: bool) -> None:
    """All or nothing: the folder gets its name when it is complete."""
    fresh = data_dir.with_name(data_dir.name + ".new")
    password_path = data_dir.with_name(data_dir.name + ".password")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    write_secret(password_path, secrets.token_urlsafe(24))
    identity.give(fresh)
    identity.give(password_path)
    initdb = [str(binaries.folder / "initdb"), "-D", str(fresh), f"--username={NAME}", f"--pwfile={password_path}"]
    initdb += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    guard.run([*initdb, *([] if durable else ["--no-sync"])], name=MAKING_DATA, identity=identity)
    single_user = [str(binaries.folder / "postgres"), "--single", "-D", str(fresh), "postgres"]
    create_database = ["/bin/sh", "-c", f'echo "CREATE DATABASE {NAME};" | "$0" "$@"', *single_user]
    guard.run(create_database, name=MAKING_DATA, identity=identity)
    password_path.rename(fresh / PASSWORD_NAME)
    if data_dir.exists():
        data_dir.rmdir()
    fresh.rename(data_dir)
