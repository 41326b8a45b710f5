"""The reference for answer times: a Flask view with one small command to Redis."""

import os

import redis
from flask import Flask

app = Flask(__name__)
client = redis.Redis.from_url(os.environ["REDIS_URL"])


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.post("/api/v1/prompts/analytics")
def log_event() -> tuple[str, int]:
    client.incr("bench:one-trip")
    return "", 204
