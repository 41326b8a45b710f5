"""What a comparison of versions takes."""

from typing import Any

from marshmallow import RAISE, Schema, ValidationError, validate, validates_schema

from app.core.contract import LONGEST_VERSION_HASH
from app.web.api.schemas import VersionHash

_LENGTH = validate.Length(min=1, max=LONGEST_VERSION_HASH, error="Must have {min} to {max} characters.")


class ComparisonQuerySchema(Schema):
    """The query string of a comparison."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "Unknown parameter."}

    baseline = VersionHash(
        validate=_LENGTH,
        metadata={
            "description": "Hash of the version to compare with; by default the one that began before the candidate."
        },
    )
    candidate = VersionHash(
        validate=_LENGTH,
        metadata={"description": "Hash of the version in question; by default the newest, by its first event."},
    )

    @validates_schema
    def _are_two(self, data: dict[str, Any], **kwargs: Any) -> None:
        if "candidate" in data and data["candidate"] == data.get("baseline"):
            raise ValidationError("Must be another version than the baseline.", "candidate")
