"""What the read API answers, for the OpenAPI document and the tests: answers are written without them, for speed."""

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from app.core.analytics.usage import MAX_ROWS
from app.core.rollups.grains import FROM_COARSE_TO_FINE


def _count(description: str) -> fields.Integer:
    return fields.Integer(
        required=True, strict=True, validate=validate.Range(min=0), metadata={"description": description}
    )


def _number(description: str) -> fields.Float:
    return fields.Float(required=True, allow_none=True, metadata={"description": description})


def _many(schema: type[Schema], description: str, **metadata: Any) -> "fields.List[Any]":
    return fields.List(fields.Nested(schema), required=True, metadata={"description": description, **metadata})


class _Answer(Schema):
    class Meta:
        unknown = RAISE


class CostSchema(_Answer):
    """Cost in US dollars; null where no event carried one."""

    count = _count("Events with a cost.")
    sum = _number("Exact, with every digit that was sent.")
    mean = _number("The sum divided by the count.")


class ScoreSchema(_Answer):
    """Downstream scores; null where no event carried one."""

    count = _count("Events with a score.")
    mean = _number("The mean score.")
    min = _number("The lowest score, exact.")
    max = _number("The highest score, exact.")


class LatencySchema(_Answer):
    """Latency in milliseconds; null where no event carried one. Percentiles are by nearest rank, within 1 %."""

    count = _count("Events with a latency.")
    mean = _number("The mean latency.")
    min = _number("The shortest latency, exact.")
    max = _number("The longest latency, exact.")
    p50 = _number("The median: half of the latencies are at most this.")
    p95 = _number("95 % of the latencies are at most this.")
    p99 = _number("99 % of the latencies are at most this.")


class TotalsSchema(_Answer):
    """The totals of some events."""

    events = _count("Events, with or without measures.")
    cost_usd = fields.Nested(CostSchema, required=True)
    latency_ms = fields.Nested(LatencySchema, required=True)
    score = fields.Nested(ScoreSchema, required=True)


class PointSchema(TotalsSchema):
    """One point of a series."""

    start = fields.AwareDateTime(
        required=True,
        metadata={"description": "Beginning of the bucket in UTC; the first may begin before the range."},
    )


class PromptTotalsSchema(TotalsSchema):
    """What one prompt used."""

    prompt_id = fields.UUID(required=True)


class VersionTotalsSchema(TotalsSchema):
    """What one version of a prompt used."""

    version_hash = fields.String(required=True)


_RANGE = {
    "from": fields.AwareDateTime(
        required=True,
        metadata={"description": "Beginning of the range: what was asked for, rounded down to the minute or hour."},
    ),
    "to": fields.AwareDateTime(
        required=True,
        metadata={"description": "End of the range, not part of it, rounded up to the minute or hour."},
    ),
}


class UsageSchema(_Answer.from_dict(_RANGE, name="_RangeSchema")):  # type: ignore[misc]  # "from" is a keyword
    """A range of time and what was used in it."""

    interval = fields.String(required=True, validate=validate.OneOf(FROM_COARSE_TO_FINE[::-1]))
    totals = fields.Nested(TotalsSchema, required=True, metadata={"description": "The sum of the series."})
    series = _many(PointSchema, "Every bucket of the range in order, those without events too.")
    truncated = fields.Boolean(
        required=True, metadata={"description": f"Whether there were more than the {MAX_ROWS:,} that are listed."}
    )


class ProjectUsageSchema(UsageSchema):
    """What a project used."""

    prompts = _many(PromptTotalsSchema, "Prompts with events in the range, busiest first.", maxItems=MAX_ROWS)


class PromptUsageSchema(UsageSchema):
    """What one prompt used."""

    prompt_id = fields.UUID(required=True)
    versions = _many(VersionTotalsSchema, "Versions with events in the range, busiest first.", maxItems=MAX_ROWS)
