"""The plain way: Flask-Limiter's decorator on Redis, a stock marshmallow schema, and redis-py's XADD."""

import json
import os
from typing import Any

import redis
from flask import Flask, request
from flask_limiter import Limiter
from marshmallow import EXCLUDE, Schema, ValidationError, fields

app = Flask(__name__)
client = redis.Redis.from_url(os.environ["REDIS_URL"])
limiter = Limiter(
    key_func=lambda: request.headers.get("Authorization", ""),
    app=app,
    storage_uri=os.environ["REDIS_URL"],
    headers_enabled=True,
)


class EventSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    prompt_id = fields.UUID(required=True)
    version_hash = fields.String(required=True)
    latency_ms = fields.Float()
    cost_usd = fields.Float()
    score = fields.Float()


schema = EventSchema()


@app.get("/healthz")
@limiter.exempt
def healthz() -> str:
    return "ok"


@app.post("/api/v1/prompts/analytics")
@limiter.limit("2000000000/minute")
def log_event() -> tuple[Any, int]:
    try:
        event = schema.load(request.get_json())
    except ValidationError as error:
        return error.messages, 400
    client.xadd("bench:plain", {"event": json.dumps(event, default=str)})
    return "", 204
