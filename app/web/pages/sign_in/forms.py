"""The forms of sign-in, account and members. Nothing that was typed is trimmed but emails and names."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, SelectField, StringField
from wtforms.validators import EqualTo, InputRequired, Length, ValidationError

from app.core.accounts.passwords import password_problem
from app.core.accounts.users import MAX_EMAIL_LENGTH, is_email
from app.core.keys.lifecycle import MAX_NAME_LENGTH, checked_name

ROLES = [("member", "Member"), ("admin", "Admin")]


def _stripped(value: str | None) -> str | None:
    return value.strip() if value else value


def _check_email(_form: FlaskForm, field: Any) -> None:
    if not is_email(field.data):
        raise ValidationError("This is not an email address.")


def _check_password(_form: FlaskForm, field: Any) -> None:
    problem = password_problem(field.data)
    if problem is not None:
        raise ValidationError(problem)


def _check_name(_form: FlaskForm, field: Any) -> None:
    try:
        checked_name(field.data)
    except ValueError as error:
        raise ValidationError(f"The name {error}.") from None


_EMAIL_RULES = [InputRequired("Enter an email address."), Length(max=MAX_EMAIL_LENGTH), _check_email]
_SAME_PASSWORD = EqualTo("password", "The two passwords are not the same.")


class SignInForm(FlaskForm):
    """What is wrong with it is the same as for a wrong password: nobody learns which emails have users."""

    email = StringField("Email", filters=[_stripped])
    password = PasswordField("Password")
    next = HiddenField()


class NewPasswordForm(FlaskForm):
    """The first password, or one in place of a lost one."""

    password = PasswordField("New password", [InputRequired("Choose a password."), _check_password])
    again = PasswordField("The same again", [_SAME_PASSWORD])


class ChangePasswordForm(FlaskForm):
    """Another password, by somebody who knows the one before."""

    current = PasswordField("Current password", [InputRequired("Enter your current password.")])
    password = PasswordField("New password", [InputRequired("Choose a password."), _check_password])
    again = PasswordField("The same again", [_SAME_PASSWORD])


class InviteForm(FlaskForm):
    """A new member of the project."""

    email = StringField("Email", _EMAIL_RULES, filters=[_stripped])
    role = SelectField("Role", choices=ROLES, default="member")


class RoleForm(FlaskForm):
    """What a member may do."""

    role = SelectField("Role", choices=ROLES)


class ProjectForm(FlaskForm):
    """A new project."""

    name = StringField(
        "Name",
        [InputRequired("Give it a name."), _check_name],
        render_kw={"maxlength": MAX_NAME_LENGTH},
        filters=[_stripped],
    )
