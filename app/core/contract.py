"""What the published API fixes, for all who serve it, call it or show how."""

from datetime import timedelta
from uuid import UUID

ANALYTICS_PATH = "/api/v1/prompts/analytics"
BATCH_PATH = f"{ANALYTICS_PATH}/batch"

LONGEST_VERSION_HASH = 256
OTHER_VERSION = "(other)"
"""The hash under which versions of a prompt are counted that are too many to be registered."""
OTHER_PROMPT = UUID("ffffffff-ffff-ffff-ffff-ffffffffffff")
"""The id under which prompts of a project are counted that are too many; its name is OTHER_VERSION, too."""
OLDEST_TIMESTAMP = timedelta(days=30)
"""How long ago an event may have happened that says so itself."""
SHORTEST_RETENTION = OLDEST_TIMESTAMP + timedelta(days=2)
"""So long an event may come with a time of its own, and wait in the buffer besides: delivered again after its partition
has gone, it would count twice."""

EXAMPLE_EVENT = {
    "prompt_id": "7d6f2f6e-3f0e-4c7e-9d3a-1c2b3a4d5e6f",
    "version_hash": "v1",
    "latency_ms": 812.4,
    "cost_usd": 0.00042,
    "score": 0.87,
}

_EVENT_FIELDS = frozenset({"prompt_id", "version_hash", "latency_ms", "cost_usd", "score", "timestamp"})
FIELD_NAMES = (
    _EVENT_FIELDS
    | {"body", "Idempotency-Key", "events", "events[]"}
    | {f"events[].{name}" for name in _EVENT_FIELDS}
    | {"from", "to", "interval", "baseline", "candidate"}
)
"""All that an answer names as wrong, but for parameters that the API does not know."""
