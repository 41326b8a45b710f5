"""A real hot standby of the PostgreSQL of the tests, by streaming replication."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from app.local.children import Guard
from app.local.identity import postgres_identity
from app.local.postgres import RunningPostgres
from tests.waiting import wait_until


class RunningStandby(RunningPostgres):
    """It gives up what is read for the sake of what it replays after a tenth of a second, and follows at once."""

    def _command(self) -> list[str]:
        return [
            *super()._command(),
            "-c",
            "max_standby_streaming_delay=100ms",
            "-c",
            "wal_retrieve_retry_interval=100ms",
        ]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It replays nothing, and is behind with whatever is written now."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_wal_replay_pause()")
            wait_until(lambda: connection.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() == ("paused",))
            try:
                yield
            finally:
                connection.execute("SELECT pg_wal_replay_resume()")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its connections stay open and silent."""
        # the one that makes the others first, so that none is made meanwhile
        os.kill(self.pid, signal.SIGSTOP)
        children = [child.pid for child in psutil.Process(self.pid).children(recursive=True)]
        for each in children:
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in (*children, self.pid):
                os.kill(each, signal.SIGCONT)

    def wait_for(self, primary: RunningPostgres) -> None:
        """Until it has all that the primary has now."""
        with psycopg.connect(primary.url, autocommit=True) as there, psycopg.connect(self.url, autocommit=True) as here:
            position = there.execute("SELECT pg_current_wal_lsn()::text").fetchone()
            sql = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            wait_until(lambda: here.execute(sql, position).fetchone() == (True,))


def basebackup_of(primary: RunningPostgres) -> Path:
    """The program of the primary's version; it may not be there."""
    return primary.binaries.folder / "pg_basebackup"


def start_standby(folder: Path, guard: Guard, primary: RunningPostgres) -> RunningStandby:
    """A copy of the primary, which follows it."""
    program = basebackup_of(primary)
    identity = postgres_identity(program)
    folder.mkdir(mode=0o700)
    identity.give(folder)
    copy = [str(program), "-D", str(folder), "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", primary.url]
    guard.run(copy, name="the copy of the primary could not be made", identity=identity, timeout_seconds=120)
    return RunningStandby(folder, guard, primary.binaries, identity, durable=False)
