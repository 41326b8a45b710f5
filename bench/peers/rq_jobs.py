"""One RQ job for each event."""

import os
from typing import Any

import psycopg
import redis
from flask import Flask, request
from rq import Queue

INSERT = """
INSERT INTO bench_events (prompt_id, version_hash, latency_ms, cost_usd, score)
VALUES (%(prompt_id)s, %(version_hash)s, %(latency_ms)s, %(cost_usd)s, %(score)s)
"""

app = Flask(__name__)
queue = Queue("bench", connection=redis.Redis.from_url(os.environ["REDIS_URL"]))
connections: list[psycopg.Connection[Any]] = []


def store_event(event: dict[str, Any]) -> None:
    """The job. A process that runs several keeps its connection."""
    if not connections:
        connections.append(psycopg.connect(os.environ["DATABASE_URL"], autocommit=True))
    connections[0].execute(INSERT, {"latency_ms": None, "cost_usd": None, "score": None, **event})


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.post("/api/v1/prompts/analytics")
def log_event() -> tuple[str, int]:
    queue.enqueue(store_event, request.get_json(), result_ttl=0)
    return "", 204
