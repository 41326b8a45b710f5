"""The peers: started beside ours, measured in turn with bare Flask."""

from collections.abc import Mapping, Sequence

import psycopg

from app.local.children import REPOSITORY
from app.local.ports import free_port
from bench.ingest import BARE, single_source
from bench.report import Figure
from bench.rounds import Contender, events_per_second
from bench.schedule import Schedule
from bench.stand import WEB_PROCESSES, Process, Stand

FASTAPI_PROGRAM = REPOSITORY / ".venv-bench" / "bin" / "uvicorn"
THREADS = 16

CREATE_TABLE = """
CREATE TABLE bench_events (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at   timestamptz NOT NULL DEFAULT now(),
    prompt_id     uuid NOT NULL,
    version_hash  text NOT NULL,
    latency_ms    numeric,
    cost_usd      numeric,
    score         numeric
)
"""


def start_flask_peer(stand: Stand, module: str, *, threads: int | None = None) -> Process:
    """A peer on gunicorn, with as many processes as ours: on gevent, or on threads where `threads` is given."""
    port = free_port()
    command = ["gunicorn", f"--bind=127.0.0.1:{port}", f"--workers={WEB_PROCESSES}", "--no-control-socket"]
    command += [f"--threads={threads}", "--worker-class=gthread"] if threads else ["--worker-class=gevent"]
    return stand.start(module, [*command, f"bench.peers.{module}:app"], port=port, ready_path="/healthz")


def measure_peers(stand: Stand, schedule: Schedule, bare: Process) -> Mapping[str, Sequence[float]]:
    """Events a second by peer, round by round, and those of bare Flask."""
    with psycopg.connect(stand.postgres.url) as connection:
        connection.execute(CREATE_TABLE)
    peers = {
        BARE: bare,
        "plain way on threads": start_flask_peer(stand, "plain", threads=THREADS),
        "one RQ job for each event": start_flask_peer(stand, "rq_jobs"),
        "one INSERT for each request": start_flask_peer(stand, "inserts"),
    }
    if FASTAPI_PROGRAM.exists():
        peers["FastAPI and XADD, no key, no limit"] = _start_fastapi_peer(stand)
    contenders = [Contender(name, single_source(stand, peer.url, "none")) for name, peer in peers.items()]
    measured = events_per_second(stand, contenders, seconds=schedule.peer_seconds, rounds=schedule.peer_rounds)
    for name, peer in peers.items():
        if name != BARE:
            peer.child.stop()
    return measured


def peer_figures(throughput: Mapping[str, Sequence[float]]) -> list[Figure]:
    """Rows of the table."""
    return [
        Figure(f"peer: {name}", "/s", measured, throughput[BARE], BARE)
        for name, measured in throughput.items()
        if name != BARE
    ]


def _start_fastapi_peer(stand: Stand) -> Process:
    port = free_port()
    command = [str(FASTAPI_PROGRAM), "bench.peers.fastapi_xadd:app", "--host=127.0.0.1", f"--port={port}"]
    command += [f"--workers={WEB_PROCESSES}", "--no-access-log"]
    return stand.start("fastapi", command, port=port, ready_path="/healthz")
