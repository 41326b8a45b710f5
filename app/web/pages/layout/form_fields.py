"""What fields of several forms have in common."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms.validators import ValidationError

from app.core.names import checked_name


def stripped(value: str | None) -> str | None:
    return value.strip() if value else value


def is_name(_form: FlaskForm, field: Any) -> None:
    """The name of a project or of a key."""
    try:
        checked_name(field.data)
    except ValueError as error:
        raise ValidationError(f"The name {error}.") from None
