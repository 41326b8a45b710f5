"""One INSERT for each request."""

import os

import psycopg_pool
from flask import Flask, request

from bench.peers.rq_jobs import INSERT

app = Flask(__name__)
pool = psycopg_pool.ConnectionPool(
    os.environ["DATABASE_URL"], kwargs={"autocommit": True}, min_size=16, max_size=16, open=True
)


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.post("/api/v1/prompts/analytics")
def log_event() -> tuple[str, int]:
    with pool.connection() as connection:
        connection.execute(INSERT, {"latency_ms": None, "cost_usd": None, "score": None, **request.get_json()})
    return "", 204
