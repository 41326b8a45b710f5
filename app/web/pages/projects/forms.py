"""The forms of projects and their members."""

from datetime import datetime
from typing import Any

from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.validators import InputRequired, Length, ValidationError

from app.core.accounts.users import MAX_EMAIL_LENGTH, is_email
from app.core.names import LONGEST_NAME
from app.web.pages.layout.form_fields import is_name, stripped

ROLES = [("member", "Member"), ("admin", "Admin")]


def _check_email(_form: FlaskForm, field: Any) -> None:
    if not is_email(field.data):
        raise ValidationError("This is not an email address.")


def _time(text: str | None) -> datetime | None:
    """Raises ValueError, which WTForms takes for an error of the field."""
    return datetime.fromisoformat(text) if text else None


class RoleForm(FlaskForm):
    """What a member may do."""

    role = SelectField("Role", choices=ROLES)


class ConfirmForm(FlaskForm):
    """Whose password an operator vouches for: the one that was chosen at this time, and no later one."""

    password_chosen_at = StringField(filters=[_time])


class InviteForm(FlaskForm):
    """A new member of the project."""

    email = StringField(
        "Email",
        [InputRequired("Enter an email address."), Length(max=MAX_EMAIL_LENGTH), _check_email],
        filters=[stripped],
    )
    role = SelectField("Role", choices=ROLES, default="member")


class ProjectForm(FlaskForm):
    """A new project."""

    name = StringField(
        "Name",
        [InputRequired("Give it a name."), is_name],
        render_kw={"maxlength": LONGEST_NAME},
        filters=[stripped],
    )
