"""How commands check what they are given."""

from collections.abc import Callable

import click

from app.core.accounts.users import is_email
from app.core.names import checked_name

Callback = Callable[[click.Context, click.Parameter, str | None], str | None]


def checked(check: Callable[[str], str]) -> Callback:
    """A click callback: what `check` makes of a value; the ValueError that it raises is told."""

    def callback(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
        try:
            return None if value is None else check(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


def _checked_email(text: str) -> str:
    if not is_email(text):
        raise ValueError("must be an email address")
    return text


a_name = checked(checked_name)
an_email = checked(_checked_email)
