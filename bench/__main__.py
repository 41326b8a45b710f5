"""`make bench`. BENCH_SECONDS is the length of one run under load; less than 4 is for trying it out."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg

from app.core.queries.projects import insert_project
from app.local.errors import CannotRun
from bench.comparison import FASTAPI_PYTHON, Peers, measure_peers, peer_figures, start_flask_peer
from bench.cpu import WEB, WORKER, cpu_figures, drain_log, steady_log
from bench.distributed import distributed_figures, measure_distributed
from bench.drain import drain_figures, measure_drain, measure_steady_trickle
from bench.freshness import freshness_figures, measure_freshness
from bench.ingest import Servers, ingest_figures, measure_ingest, single_source
from bench.load_generator import find_wrk
from bench.machine import facts
from bench.memory import MemoryLog, memory_figures
from bench.mlflow_peer import PYTHON as MLFLOW_PYTHON
from bench.needs import monthly_costs, needs
from bench.notes import notes
from bench.reads import measure_reads, reads_figures
from bench.report import Figure, results_page, terminal_table
from bench.schedule import STANDARD_SECONDS, Schedule
from bench.stand import Process, Stand, open_stand
from bench.wrong_client import measure_wrong_client, wrong_client_figures

RESULTS = Path(__file__).parent / "RESULTS.md"
PROJECT = "bench"
LONGEST_SECONDS = 10
"""A drain of more events would be cut off by its own limit of ten seconds."""


def main() -> int:
    """0 where everything was measured, whether or not the targets were met."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    began_at = time.monotonic()
    try:
        schedule = _schedule(os.environ.get("BENCH_SECONDS") or str(STANDARD_SECONDS))
        find_wrk()
        with open_stand() as stand:
            figures, needed = measure(stand, schedule, with_mlflow=bool(os.environ.get("BENCH_MLFLOW")))
            page = results_page(
                figures, facts=facts(stand), notes=notes(schedule), needs=needed, is_standard=schedule.is_standard
            )
    except CannotRun as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 1
    print(f"\n{terminal_table(figures)}\n\n{needed}\n")
    if schedule.is_standard:
        RESULTS.write_text(page)
        print(f"Written to {RESULTS}")
    print(f"Took {(time.monotonic() - began_at) / 60:.1f} minutes.")
    return 0


def measure(stand: Stand, schedule: Schedule, *, with_mlflow: bool) -> tuple[Sequence[Figure], str]:
    """All figures, and what a billion events need."""
    say("Starting web and the servers beside it")
    api_key = stand.create_key(PROJECT)
    with psycopg.connect(stand.postgres.url) as connection:
        project_id = insert_project(connection, PROJECT)
    web = stand.start_web()
    bare, plain, one_trip = (start_flask_peer(stand, peer) for peer in ("bare", "plain", "one_trip"))
    web_memory = MemoryLog(web)
    say("Single events, batches, and answer times")
    servers = Servers(web, bare, plain, one_trip)
    ingest = measure_ingest(stand, schedule, servers, api_key=api_key, memory=web_memory)
    after_batches_mb = list(web_memory.looks_mb)
    say("Draining, also beside a client that gets it wrong")
    worker = stand.start_worker("bench-1")
    worker_memory = MemoryLog(worker)
    drained = measure_drain(stand, schedule, project_id, worker_memory, drain_log(stand, worker))
    trickle = steady_log(stand, web, worker)
    measure_steady_trickle(stand, schedule, single_source(stand, web.url, api_key), drained, trickle)
    wrong = measure_wrong_client(stand, schedule, worker_memory)
    say("Freshness")
    freshness = measure_freshness(stand, schedule, web, api_key, ingest.ours_per_second / 2)
    say("Reading")
    reads = measure_reads(stand, schedule, web, bare)
    web_memory.look()
    worker_memory.look()
    worker.child.stop()
    figures = [
        *ingest_figures(ingest),
        *drain_figures(drained, ingest.ours_per_second),
        *cpu_figures("an event of a steady trickle, in and out", trickle, {}),
        *wrong_client_figures(wrong),
        *freshness_figures(freshness),
        *reads_figures(reads),
        *_measure_distributed(stand, schedule),
        *memory_figures("web process after batches", after_batches_mb, at_most_mb=80),
        Figure("memory of each web process after reads", "MB", web_memory.looks_mb[-1:]),
        *memory_figures("worker process", worker_memory.looks_mb, at_most_mb=70),
        *peer_figures(_measure_peers(stand, schedule, bare, with_mlflow=with_mlflow)),
    ]
    memory_mb = {WEB: after_batches_mb[-1], WORKER: worker_memory.looks_mb[-1]}
    return figures, f"{needs(ingest, drained)}\n\n{monthly_costs(drained, trickle, memory_mb)}"


def _measure_distributed(stand: Stand, schedule: Schedule) -> list[Figure]:
    say("A distributed database")
    measured = measure_distributed(stand, schedule)
    if isinstance(measured, str):
        say(f"Citus is left out: {measured}")
        return []
    return distributed_figures(measured)


def _measure_peers(stand: Stand, schedule: Schedule, bare: Process, *, with_mlflow: bool) -> Peers:
    say("Peers")
    if not FASTAPI_PYTHON.exists():
        say("FastAPI is left out: it is not installed in .venv-bench")
    return measure_peers(stand, schedule, bare, with_mlflow=with_mlflow and MLFLOW_PYTHON.exists())


def _schedule(seconds: str) -> Schedule:
    if not seconds.isdecimal() or not 1 <= int(seconds) <= LONGEST_SECONDS:
        raise CannotRun(f"BENCH_SECONDS must be a whole number from 1 to {LONGEST_SECONDS}")
    return Schedule(int(seconds))


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
