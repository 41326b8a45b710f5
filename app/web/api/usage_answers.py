"""What the read API answers, for the OpenAPI document and the tests: answers are written without them, for speed."""

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from app.core.analytics.usage import MAX_ROWS
from app.core.rollups.grains import FROM_COARSE_TO_FINE


class _Answer(Schema):
    class Meta:
        unknown = RAISE


def _measure(name: str, **descriptions: str) -> fields.Nested:
    """A part of the totals: a count, and numbers that are null where no event carried one."""
    count, numbers = descriptions.pop("count"), descriptions
    at_least_zero = validate.Range(min=0)
    parts: dict[str, Any] = {
        "count": fields.Integer(
            required=True, strict=True, validate=at_least_zero, metadata={"description": f"Events with a {count}."}
        )
    }
    for part, text in numbers.items():
        parts[part] = fields.Float(required=True, allow_none=True, metadata={"description": text})
    return fields.Nested(_Answer.from_dict(parts, name=f"{name}Schema"), required=True)


def _many(schema: type[Schema], description: str, **metadata: Any) -> "fields.List[Any]":
    return fields.List(fields.Nested(schema), required=True, metadata={"description": description, **metadata})


class TotalsSchema(_Answer):
    """The totals of some events."""

    events = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(min=0),
        metadata={"description": "Events, with or without measures."},
    )
    cost_usd = _measure(
        "Cost", count="cost", sum="Exact, with every digit that was sent.", mean="The sum divided by the count."
    )
    latency_ms = _measure(
        "Latency",
        count="latency",
        mean="The mean latency.",
        min="The shortest latency, exact.",
        max="The longest latency, exact.",
        p50="The median: half of the latencies are at most this.",
        p95="95 % of the latencies are at most this.",
        p99="99 % of the latencies are at most this.",
    )
    score = _measure(
        "Score",
        count="score",
        mean="The mean score.",
        min="The lowest score, exact.",
        max="The highest score, exact.",
    )


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


_ENDS = {
    "from": "Beginning of the range: what was asked for, rounded down to the minute or hour.",
    "to": "End of the range, not part of it, rounded up to the minute or hour.",
}
_RANGE = {
    name: fields.AwareDateTime(required=True, metadata={"description": description})
    for name, description in _ENDS.items()
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
