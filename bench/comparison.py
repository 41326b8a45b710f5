"""The peers: started beside ours, measured in turn with bare Flask."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from app.local.children import REPOSITORY
from app.local.errors import CannotRun
from app.local.ports import free_port
from app.local.servers import last_words
from bench.cpu import CpuLog, web_log
from bench.ingest import BARE, single_source
from bench.load_generator import run_load
from bench.mlflow_peer import metrics_source, start_mlflow
from bench.report import Figure
from bench.rounds import WARM_UP_SECONDS, Contender, events_per_second
from bench.schedule import Schedule
from bench.stand import WEB_PROCESSES, Process, Stand

FASTAPI_PYTHON = REPOSITORY / ".venv-bench" / "bin" / "python"
THREADS = 16
FASTAPI = "FastAPI and XADD, no key, no limit"
RQ_PEER = "one RQ job for each event"
RQ_WORKERS = {"a forking RQ worker": "rq.worker.Worker", "a SimpleWorker that keeps its connection": "rq.SimpleWorker"}
FIRST_ROW_SECONDS = 20.0

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
COUNT_ROWS = "SELECT count(*) FROM bench_events"


@dataclass(frozen=True)
class Peers:
    """Events a second, round by round: acknowledged by peer (bare Flask among them), and stored by kind of worker."""

    throughput: Mapping[str, Sequence[float]]
    cpu: Mapping[str, CpuLog]
    stored: Mapping[str, Sequence[float]]


def start_flask_peer(stand: Stand, module: str, *, threads: int | None = None) -> Process:
    """A peer on gunicorn, with as many processes as ours: on gevent, or on threads where `threads` is given."""
    port = free_port()
    command = ["gunicorn", f"--bind=127.0.0.1:{port}", f"--workers={WEB_PROCESSES}", "--no-control-socket"]
    command += [f"--threads={threads}", "--worker-class=gthread"] if threads else ["--worker-class=gevent"]
    return stand.start(module, [*command, f"bench.peers.{module}:app"], port=port, ready_path="/healthz")


def measure_peers(stand: Stand, schedule: Schedule, bare: Process, *, with_mlflow: bool) -> Peers:
    """All peers and bare Flask in turn, then what RQ workers store. None of our workers may be running."""
    with psycopg.connect(stand.postgres.url) as connection:
        connection.execute(CREATE_TABLE)
    peers = {
        BARE: bare,
        "plain way on threads": start_flask_peer(stand, "plain", threads=THREADS),
        RQ_PEER: start_flask_peer(stand, "rq_jobs"),
        "one INSERT for each request": start_flask_peer(stand, "inserts"),
    }
    if FASTAPI_PYTHON.exists():
        peers[FASTAPI] = _start_fastapi_peer(stand)
    sources = {name: single_source(stand, peer.url, "none") for name, peer in peers.items()}
    if with_mlflow:
        sources["MLflow, one metric for each request"] = metrics_source(stand, start_mlflow(stand))
    logs = {name: web_log(stand, peer) for name, peer in peers.items()}
    contenders = [Contender(name, source, cpu=logs.get(name)) for name, source in sources.items()]
    throughput = events_per_second(stand, contenders, seconds=schedule.peer_seconds, rounds=schedule.peer_rounds)
    rq_peer = Contender(RQ_PEER, sources[RQ_PEER])
    stored = {
        name: [_stored_by_rq(stand, rq_peer, worker_class, schedule.peer_seconds) for _ in range(schedule.peer_rounds)]
        for name, worker_class in RQ_WORKERS.items()
    }
    return Peers(throughput, logs, stored)


def peer_figures(peers: Peers) -> list[Figure]:
    """Rows of the table."""
    bare = peers.throughput[BARE]
    acknowledged = [
        Figure(f"peer: {name}", "/s", measured, bare, BARE)
        for name, measured in peers.throughput.items()
        if name != BARE
    ]
    fastapi = [
        Figure(f"CPU, peer: {FASTAPI}", "µs", peers.cpu[FASTAPI].all_us, peers.cpu[BARE].all_us, BARE)
        for name in peers.cpu
        if name == FASTAPI
    ]
    return acknowledged + fastapi + [Figure(f"stored by {name}", "/s", stored) for name, stored in peers.stored.items()]


def _start_fastapi_peer(stand: Stand) -> Process:
    port = free_port()
    command = [str(FASTAPI_PYTHON), "-m", "uvicorn", "bench.peers.fastapi_xadd:app", "--host=127.0.0.1"]
    command += [f"--port={port}", f"--workers={WEB_PROCESSES}", "--no-access-log"]
    return stand.start("fastapi", command, port=port, ready_path="/healthz")


def _stored_by_rq(stand: Stand, peer: Contender, worker_class: str, seconds: int) -> float:
    """Rows a second that one RQ worker stores out of the jobs which a short load has left."""
    stand.empty_redis()
    run_load(stand.guard, peer.source, WARM_UP_SECONDS)
    command = ["rq", "worker", "--quiet", "--worker-class", worker_class, "bench"]
    with psycopg.connect(stand.postgres.url, autocommit=True) as connection:
        before = _rows(connection)
        url = stand.redis_server.url
        worker = stand.start("rq", command, port=free_port(), RQ_REDIS_URL=url, PYTHONPATH=str(REPOSITORY))
        deadline = time.monotonic() + FIRST_ROW_SECONDS
        while (first := _rows(connection)) == before:
            worker.expect_running()
            if time.monotonic() > deadline:
                raise CannotRun(f"the RQ worker stores nothing: {last_words(worker.log_path, 0)}")
            time.sleep(0.01)
        began_at = time.monotonic()
        time.sleep(seconds)
        stored = (_rows(connection) - first) / (time.monotonic() - began_at)
    worker.child.kill()
    return stored


def _rows(connection: psycopg.Connection[tuple[int]]) -> int:
    row = connection.execute(COUNT_ROWS).fetchone()
    assert row is not None
    return row[0]
