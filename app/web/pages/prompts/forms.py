"""Readable names for prompts and versions."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length, ValidationError

from app.core.contract import LONGEST_VERSION_HASH
from app.core.names import LONGEST_LABEL, checked_name
from app.web.pages.layout.form_fields import stripped


def _check_name(_form: FlaskForm, field: Any) -> None:
    try:
        checked_name(field.data or "-", longest=LONGEST_LABEL)
    except ValueError:
        raise ValidationError(f"A name has at most {LONGEST_LABEL} printable characters.") from None


def _check_hash(_form: FlaskForm, field: Any) -> None:
    # no event has one with it, and PostgreSQL takes no text with it
    if "\0" in field.data:
        raise ValidationError("There is no such version.")


class NameForm(FlaskForm):
    """A name; the empty one takes the name away."""

    name = StringField("Name", [_check_name], filters=[stripped])


class VersionNameForm(NameForm):
    """The name of the version with this hash."""

    version_hash = HiddenField(
        validators=[InputRequired("There is no such version."), Length(max=LONGEST_VERSION_HASH), _check_hash]
    )
