"""Numbers with enormous exponents or hundreds of digits cost no more than others.

Whoever writes 1e999999999 out, or makes an integer of it, needs hundreds of megabytes: so the memory that reading and
storing take is bounded here by the length of the body.
"""

import tracemalloc
from collections.abc import Callable
from datetime import date
from uuid import uuid4

import pytest
from marshmallow import Schema

from app.core.rollups.event_row import EventRow
from app.core.rollups.rollup import at_every_level, count_by_minute
from app.core.stream.events import Event, decode_event, encode_event, new_event_id
from app.web.api.schemas import BatchSchema, EventSchema, FastBatchSchema, FastEventSchema, decode_json, load
from app.web.errors import ApiError
from app.web.json_response import encode
from tests.bad_values import PROMPT_ID

MEBIBYTE = 1024 * 1024
REFUSED = [
    *("1e999999999", "-1e999999999", "1e-999999999", "0e999999999", "0e-999999999", "9.9e+999999999999999999"),
    *("9" * 400, "9" * 4_000, "9" * 900_000, "0." + "0" * 400 + "1", "0." + "7" * 900_000, "1" + "0" * 400 + ".5"),
]
TAKEN = ["1e-400", "0." + "0" * 399 + "1", "1." + "7" * 400, "1e12", "0e20", "0." + "0" * 900_000 + "1e900000"]


def short(number: str) -> str:
    return f"{number[:14]}…{len(number)}"


def fields_with(number: str) -> str:
    numbers = ",".join(f'"{name}":{number}' for name in ("latency_ms", "cost_usd", "score"))
    return f'{{"prompt_id":"{PROMPT_ID}","version_hash":"v",{numbers}}}'


def peak_bytes(work: Callable[[], object]) -> int:
    work()  # what is loaded and cached at the first time
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("schema", [EventSchema(), FastEventSchema()], ids=["plain", "fast"])
@pytest.mark.parametrize("number", REFUSED, ids=short)
def test_an_event_with_one_is_refused_in_little_memory(schema: Schema, number: str) -> None:
    body = fields_with(number).encode()

    def refuse() -> None:
        with pytest.raises(ApiError, match="VALIDATION_ERROR"):
            load(schema, decode_json(body))

    assert peak_bytes(refuse) < MEBIBYTE + 16 * len(body)


@pytest.mark.parametrize("schema", [BatchSchema(), FastBatchSchema()], ids=["plain", "fast"])
@pytest.mark.parametrize("number", [number for number in REFUSED if len(number) < 5_000], ids=short)
def test_a_batch_of_them_is_refused_in_little_memory(schema: Schema, number: str) -> None:
    body = f'{{"events":[{",".join([fields_with(number)] * 50)}]}}'.encode()

    def refuse() -> None:
        with pytest.raises(ApiError, match="VALIDATION_ERROR"):
            load(schema, decode_json(body))

    assert peak_bytes(refuse) < MEBIBYTE + 16 * len(body)


@pytest.mark.parametrize("schema", [EventSchema(), FastEventSchema()], ids=["plain", "fast"])
@pytest.mark.parametrize("number", TAKEN, ids=short)
def test_an_event_whose_number_is_taken_goes_its_whole_way_in_little_memory(schema: Schema, number: str) -> None:
    body = fields_with(number).encode()

    def go() -> None:
        event = Event(new_event_id(), 1, **load(schema, decode_json(body)))
        stored = decode_event(encode_event(event))
        assert (stored.latency_ms, stored.cost_usd, stored.score) == (event.latency_ms, event.cost_usd, event.score)
        row = EventRow(1, 1, 1, date(2026, 1, 1), uuid4().bytes, 0, 0, stored.latency_ms, stored.cost_usd, stored.score)
        for _, rollup in at_every_level(count_by_minute([row] * 10)):
            encode([rollup.cost.sum, rollup.latency.sum, rollup.score.sum])

    assert peak_bytes(go) < MEBIBYTE + 16 * len(body)
