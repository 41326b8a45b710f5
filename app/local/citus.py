"""A Citus coordinator and its worker nodes: three servers on this machine, to try a distributed database on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from app.core.database import Connection
from app.local.binaries import find_postgres
from app.local.children import Guard
from app.local.errors import CannotRun
from app.local.postgres import RunningPostgres, start_postgres

WORKER_NODES = 2
SHARDS = 4
# Nodes speak to each other without TLS and passwords here. What a crash has left prepared is ended within seconds.
SETTINGS = """
shared_preload_libraries = 'citus'
max_connections = 200
max_prepared_transactions = 400
citus.node_conninfo = 'sslmode=prefer'
citus.recover_2pc_interval = '2s'
"""
TRUST_THIS_MACHINE = "host all all 127.0.0.1/32 trust\n"
ALONE = "SET citus.enable_create_database_propagation TO off"


def why_not_here() -> str | None:
    """None where a cluster can be started."""
    try:
        binaries = find_postgres()
    except CannotRun as error:
        return str(error)
    if not (binaries.folder.parent / "lib" / "citus.so").exists():
        return f"PostgreSQL {binaries.major} has no Citus here"
    return None


@dataclass(frozen=True)
class Cluster:
    """The coordinator, and the nodes that hold shards; each database is one of its own on all of them."""

    coordinator: RunningPostgres
    nodes: Sequence[RunningPostgres]

    @property
    def servers(self) -> list[RunningPostgres]:
        return [self.coordinator, *self.nodes]

    def restart_those_that_ended(self) -> None:
        for server in self.servers:
            if server.exit_code() is not None:
                server.restart()

    def make_database(self, *, knows_nodes: bool = True) -> str:
        """The URL of an empty one on the coordinator, which knows itself and its nodes."""
        name = f"test_{uuid4().hex}"
        for server in self.servers:
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute(ALONE)
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            with psycopg.connect(database_of(server, name), autocommit=True) as connection:
                connection.execute("CREATE EXTENSION citus")
        url = database_of(self.coordinator, name)
        if knows_nodes:
            with psycopg.connect(url, autocommit=True) as connection:
                self.introduce(connection)
        return url

    def introduce(self, connection: Connection, *, nodes: int = WORKER_NODES) -> None:
        """Tell the coordinator its own address, and those of so many nodes."""
        connection.execute("SELECT citus_set_coordinator_host('127.0.0.1', %s)", [self.coordinator.port])
        for node in self.nodes[:nodes]:
            connection.execute("SELECT citus_add_node('127.0.0.1', %s)", [node.port])

    def drop_database(self, url: str) -> None:
        """Whoever is still connected."""
        for server in self.servers:
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute(ALONE)
                name = sql.Identifier(urlsplit(url).path.removeprefix("/"))
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def ask_nodes(self, url: str, query: str) -> list[tuple[object, ...]]:
        """What the nodes themselves say in a database, one after the other."""
        rows = []
        for node in self.nodes:
            with psycopg.connect(database_of(node, urlsplit(url).path.removeprefix("/"))) as connection:
                # else Citus shows no shards
                connection.execute("SET citus.override_table_visibility TO off")
                rows += connection.execute(query.encode()).fetchall()
        return rows


def database_of(server: RunningPostgres, name: str) -> str:
    return urlunsplit(urlsplit(server.url)._replace(path=f"/{name}"))


@contextmanager
def open_cluster(folder: Path, guard: Guard, *, durable: bool = False) -> Iterator[Cluster]:
    """Its servers stop with the block."""
    servers = []
    try:
        for name in ("coordinator", *(f"node-{number + 1}" for number in range(WORKER_NODES))):
            server = start_postgres(folder / name, guard, durable=durable)
            servers.append(server)
            (server.data_dir / "postgresql.auto.conf").write_text(SETTINGS)
            (server.data_dir / "pg_hba.conf").write_text(TRUST_THIS_MACHINE)
            server.restart()
        yield Cluster(servers[0], servers[1:])
    finally:
        for server in servers:
            server.kill()
