"""The events of the load. All that is in one follows from its number, so that the checker sees what was altered."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

PROMPTS = [str(UUID(int=number)) for number in range(1, 8)]
VERSIONS = 3
WRONG_EVERY = 3
FIRST_WRONG_PROMPT = 2**64
OWN_TIME_EVERY = 5
"""One event in so many says itself when it happened."""
DAYS_BACK = 4
OFFSETS_MS = (-60_000, -1, 0, 1)
"""Own times lie around the last midnights (UTC), on both sides: where a day, its partition and its rollups change."""


def last_midnight() -> datetime:
    """Of UTC; a run keeps the one it began with."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def event_json(number: int, midnight: datetime, *, is_wrong: bool = False) -> str:
    """The event as the API takes it. The checker knows cost, latency and score by their formulas (ALTERED).

    `is_wrong`: of three events one has a version, and one a prompt, that no other has.
    """
    prompt_id, version_hash = PROMPTS[number % len(PROMPTS)], f"v{number % VERSIONS}"
    if is_wrong and number % WRONG_EVERY == 1:
        version_hash = f"{midnight:%Y-%m-%dT}{number}"
    elif is_wrong and number % WRONG_EVERY == 2:
        prompt_id = str(UUID(int=FIRST_WRONG_PROMPT + number))
    fields = [f'"prompt_id":"{prompt_id}"', f'"version_hash":"{version_hash}"']
    fields.append(f'"cost_usd":{number}')
    if number % 10:
        fields.append(f'"latency_ms":{number % 997 / 4 + 0.25}')
    if number % 2 == 0:
        fields.append(f'"score":{(number % 201 - 100) / 100}')
    if number % OWN_TIME_EVERY == 0:
        fields.append(f'"timestamp":"{_own_time(number // OWN_TIME_EVERY, midnight)}"')
    return "{" + ",".join(fields) + "}"


def body_of(first: int, count: int, midnight: datetime, *, is_wrong: bool = False) -> str:
    """Of one event for the single endpoint, of several for the batch endpoint."""
    if count == 1:
        return event_json(first, midnight, is_wrong=is_wrong)
    events = (event_json(number, midnight, is_wrong=is_wrong) for number in range(first, first + count))
    return '{"events":[' + ",".join(events) + "]}"


def _own_time(turn: int, midnight: datetime) -> str:
    day = midnight - timedelta(days=turn % DAYS_BACK)
    moment = day + timedelta(milliseconds=OFFSETS_MS[turn // DAYS_BACK % len(OFFSETS_MS)])
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
