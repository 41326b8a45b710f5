"""Realistic events: 100 prompts of 5 versions, latencies with a long right tail, a score for every other event."""

import hashlib
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import NamedTuple
from uuid import UUID, uuid5

from app.core.stream.events import Event, idempotency_mark, idempotent_event_id

PROMPTS = 100
VERSIONS_PER_PROMPT = 5
BODIES_FOR_ONE = 5_000
EVENTS_IN_BATCHES = 20_000
# Half of the latencies lie below 0.8 s, one in a hundred above 6.5 s.
LATENCY_MU = 6.7
LATENCY_SIGMA = 0.9

_NAMESPACE = UUID("6b1f4b6e-6a52-4b0c-9f0e-3d0a7c1f2b11")


class Sample(NamedTuple):
    """An event as a client sees it."""

    prompt_id: UUID
    version_hash: str
    latency_ms: Decimal
    cost_usd: Decimal
    score: Decimal | None


def prompt_id(number: int) -> UUID:
    """The same for the same number in every run."""
    return uuid5(_NAMESPACE, f"prompt {number}")


def version_hash(prompt: int, version: int) -> str:
    """A SHA-256, as clients use to send it."""
    return hashlib.sha256(f"prompt {prompt} version {version}".encode()).hexdigest()


def draw_samples(count: int, random: Random) -> Iterator[Sample]:
    """Samples spread evenly over all versions."""
    versions = [
        (prompt_id(prompt), version_hash(prompt, version))
        for prompt in range(PROMPTS)
        for version in range(VERSIONS_PER_PROMPT)
    ]
    for _ in range(count):
        yield Sample(
            *random.choice(versions),
            latency_ms=Decimal(f"{random.lognormvariate(LATENCY_MU, LATENCY_SIGMA):.1f}"),
            cost_usd=Decimal(f"{random.uniform(0.0001, 0.02):.6f}"),
            score=Decimal(f"{random.random():.2f}") if random.random() < 0.5 else None,
        )


def draw_buffered_events(count: int, project_id: int, random: Random) -> Iterator[Event]:
    """Events as the web process buffers them for requests with an Idempotency-Key, now."""
    now_ms = time.time_ns() // 1_000_000
    for sample in draw_samples(count, random):
        mark = idempotency_mark(b"bench", project_id, random.randbytes(16).hex())
        yield Event(idempotent_event_id(mark, now_ms), project_id, *sample)


def write_bodies(path: Path, events_per_body: int) -> None:
    """Request bodies, one on each line: of the single endpoint for 1, else of the batch endpoint."""
    samples = [_json_object(each) for each in draw_samples(_events_needed(events_per_body), Random(events_per_body))]
    if events_per_body == 1:
        lines = samples
    else:
        starts = range(0, len(samples), events_per_body)
        lines = [f'{{"events": [{", ".join(samples[start : start + events_per_body])}]}}' for start in starts]
    path.write_text("\n".join(lines) + "\n")


def _events_needed(events_per_body: int) -> int:
    return BODIES_FOR_ONE if events_per_body == 1 else EVENTS_IN_BATCHES // events_per_body * events_per_body


def _json_object(sample: Sample) -> str:
    fields = {
        "prompt_id": str(sample.prompt_id),
        "version_hash": sample.version_hash,
        "latency_ms": float(sample.latency_ms),
        "cost_usd": float(sample.cost_usd),
    }
    if sample.score is not None:
        fields["score"] = float(sample.score)
    return json.dumps(fields)
