"""Readable names for prompts and versions."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length, ValidationError

MAX_NAME_LENGTH = 80
MAX_VERSION_HASH_LENGTH = 256


def _stripped(value: str | None) -> str:
    return (value or "").strip()


def _check_name(_form: FlaskForm, field: Any) -> None:
    if not field.data.isprintable():
        raise ValidationError("A name has printable characters only.")


def _check_hash(_form: FlaskForm, field: Any) -> None:
    # no event has one with it, and PostgreSQL takes no text with it
    if "\0" in field.data:
        raise ValidationError("There is no such version.")


_TOO_LONG = f"A name has at most {MAX_NAME_LENGTH} characters."


class NameForm(FlaskForm):
    """A name; the empty one takes the name away."""

    name = StringField("Name", [Length(max=MAX_NAME_LENGTH, message=_TOO_LONG), _check_name], filters=[_stripped])


class VersionNameForm(NameForm):
    """The name of the version with this hash."""

    version_hash = HiddenField(
        validators=[InputRequired("There is no such version."), Length(max=MAX_VERSION_HASH_LENGTH), _check_hash]
    )
