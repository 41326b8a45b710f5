"""MLflow's tracking server on PostgreSQL, taking metrics; measured only when asked for, because it is large."""

import json
import urllib.request
from urllib.parse import urlsplit, urlunsplit

import psycopg

from app.local.children import REPOSITORY
from app.local.ports import free_port
from bench.load_generator import Source
from bench.stand import WEB_PROCESSES, Process, Stand

PYTHON = REPOSITORY / ".venv-mlflow" / "bin" / "python"
DATABASE = "mlflow"
CREATE_DATABASE = "CREATE DATABASE mlflow"
API_PATH = "/api/2.0/mlflow"
BODIES = 5_000
START_SECONDS = 180.0
"""It imports for half a minute and then makes its tables."""


def start_mlflow(stand: Stand) -> Process:
    """The server, with a database of its own and as many processes as ours."""
    with psycopg.connect(stand.postgres.url, autocommit=True) as connection:
        connection.execute(CREATE_DATABASE)
    store = urlunsplit(urlsplit(stand.postgres.url)._replace(path=f"/{DATABASE}"))
    port = free_port()
    command = [str(PYTHON), "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}"]
    command += [f"--workers={WEB_PROCESSES}", f"--default-artifact-root={stand.folder / 'mlflow'}"]
    return stand.start(
        "mlflow",
        command,
        port=port,
        ready_path="/health",
        start_seconds=START_SECONDS,
        MLFLOW_BACKEND_STORE_URI=store,
    )


def metrics_source(stand: Stand, server: Process) -> Source:
    """One metric in each request, all of one run."""
    run = _post(server, "/runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    path = stand.folder / "bodies-mlflow"
    metrics = (
        {"run_id": run, "key": "latency_ms", "value": step / 10, "timestamp": step, "step": step}
        for step in range(1, BODIES + 1)
    )
    path.write_text("".join(f"{json.dumps(metric)}\n" for metric in metrics))
    return Source(f"{server.url}{API_PATH}/runs/log-metric", "none", path)


def _post(server: Process, path: str, body: dict[str, object]) -> dict[str, dict[str, dict[str, str]]]:
    request = urllib.request.Request(  # noqa: S310 - an http URL of this machine
        server.url + API_PATH + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=30) as answer:
        created: dict[str, dict[str, dict[str, str]]] = json.load(answer)
        return created
