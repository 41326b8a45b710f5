"""FastAPI, pydantic and redis.asyncio's XADD, with no key and no limit."""

import os
from uuid import UUID

import redis.asyncio
from fastapi import FastAPI, Response
from pydantic import BaseModel

app = FastAPI()
client = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])


class Event(BaseModel):
    prompt_id: UUID
    version_hash: str
    latency_ms: float | None = None
    cost_usd: float | None = None
    score: float | None = None


@app.get("/healthz")
async def healthz() -> str:
    return "ok"


@app.post("/api/v1/prompts/analytics", status_code=204)
async def log_event(event: Event) -> Response:
    await client.xadd("bench:fastapi", {"event": event.model_dump_json()})
    return Response(status_code=204)
