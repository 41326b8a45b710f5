"""`users`: sign-ins for the dashboard."""

import secrets

import argon2
import click

from app.commands.servers import database_connection, settings
from app.core.errors import AlreadyExists
from app.core.queries.users import insert_user

PASSWORD_BYTES = 18
MAX_EMAIL_LENGTH = 254


def _email(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    name, at, domain = value.rpartition("@")
    if not (name and at and domain) or len(value) > MAX_EMAIL_LENGTH or not value.isprintable() or " " in value:
        raise click.BadParameter("must be an email address")
    return value


@click.group()
def users() -> None:
    """Sign-ins for the dashboard."""


@users.command()
@click.option("--email", required=True, callback=_email, help="The user's email address, which is also the sign-in.")
def create(email: str) -> None:
    """Make a user and print a password for the first sign-in, this once."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    password_hash = argon2.PasswordHasher().hash(password)
    try:
        with database_connection(settings()) as connection:
            insert_user(connection, email, password_hash)
    except AlreadyExists as error:
        raise click.ClickException(f"there is already a user {email}") from error
    click.echo(password)
