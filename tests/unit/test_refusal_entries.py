"""What the log of refusals keeps of a request: the service's own words, and few of them."""

from datetime import UTC, datetime

from app.core.contract import FIELD_NAMES
from app.core.operations.refusal_entries import MAX_FAULTS, UNKNOWN_FIELD, Fault, RefusalEntry, encode, faults_of
from app.web.api.comparison_schemas import ComparisonQuerySchema
from app.web.api.schemas import BatchSchema, EventSchema
from app.web.api.usage_schemas import UsageQuerySchema

LONGEST_ENTRY_BYTES = 4_096


def names_of(schema: type[EventSchema | BatchSchema | UsageQuerySchema | ComparisonQuerySchema]) -> set[str]:
    return {field.data_key or name for name, field in schema().fields.items()}


def test_a_fault_of_many_events_of_a_batch_is_one():
    details = [{"field": f"events[{number}].score", "message": "Must be a number."} for number in range(1_000)]
    details.append({"field": "body", "message": "Is no JSON."})
    found = (Fault("events[].score", "Must be a number."), Fault("body", "Is no JSON."))
    assert faults_of(details) == (found, 0)


def test_names_of_clients_are_not_kept():
    for name in ("ssn-078-05-1120", "", "events[1].secret", "events[secret]s", "events[[1]].score", "score ", "Score"):
        found = faults_of([{"field": name, "message": "Unknown parameter."}])
        assert found == ((Fault(UNKNOWN_FIELD, "Unknown parameter."),), 0), name


def test_the_names_that_are_kept_are_those_of_the_schemas():
    event = names_of(EventSchema)
    outer = {"body", "Idempotency-Key", *names_of(BatchSchema), "events[]"}
    assert event | outer | {f"events[].{name}" for name in event} | names_of(UsageQuerySchema) | names_of(
        ComparisonQuerySchema
    ) == set(FIELD_NAMES)


def test_of_very_many_faults_the_first_are_kept_and_the_others_are_counted():
    details = [{"field": name, "message": f"Is wrong in way {way}."} for name in sorted(FIELD_NAMES) for way in (1, 2)]
    found = faults_of(details)
    assert (len(found.kept), found.more) == (MAX_FAULTS, len(details) - MAX_FAULTS)


def test_an_entry_is_short_whatever_was_sent():
    faults = faults_of(
        [{"field": name, "message": "m" * 120} for name in (*FIELD_NAMES, *(f"{number}" for number in range(1_280)))]
    )
    entry = RefusalEntry(
        at=datetime(2026, 11, 22, tzinfo=UTC),
        key_id=2**31 - 1,
        call="event",
        status=400,
        code="IDEMPOTENCY_KEY_REUSED",
        request_id="r" * 64,
        faults=faults.kept,
        more_faults=faults.more,
        left_out=2**40,
    )
    assert len(encode(entry)) < LONGEST_ENTRY_BYTES
