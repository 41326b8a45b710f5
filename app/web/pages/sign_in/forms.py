"""The forms of sign-in and account. Nothing that was typed is trimmed but emails."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, ValidationError

from app.core.accounts.passwords import password_problem
from app.web.pages.layout.form_fields import stripped


def _check_password(_form: FlaskForm, field: Any) -> None:
    problem = password_problem(field.data)
    if problem is not None:
        raise ValidationError(problem)


class SignInForm(FlaskForm):
    """What is wrong with it is the same as for a wrong password: nobody learns which emails have users."""

    email = StringField("Email", filters=[stripped])
    password = PasswordField("Password")
    next = HiddenField()


class NewPasswordForm(FlaskForm):
    """The first password, or one in place of a lost one."""

    password = PasswordField("New password", [InputRequired("Choose a password."), _check_password])
    again = PasswordField("The same again", [EqualTo("password", "The two passwords are not the same.")])


class ProofForm(FlaskForm):
    """The password of the sign-in that there is."""

    current = PasswordField("Password")


class ChangePasswordForm(NewPasswordForm):
    """Another password, by somebody who knows the one before."""

    current = PasswordField("Current password", [InputRequired("Enter your current password.")])
