"""`users`: sign-ins for the dashboard. Whoever is made here is an operator."""

import click

from app.commands.parameters import a_name, an_email
from app.commands.servers import database_connection, settings
from app.commands.tables import show_table, time_text
from app.core.accounts.members import add_member
from app.core.accounts.passwords import hash_password, make_password
from app.core.accounts.users import create_operator, make_link_for
from app.core.errors import AlreadyExists, NotFound
from app.core.queries.memberships import Role
from app.core.queries.users import UserDescription, select_users

LINK_PATH = "/login/link/"


_EMAIL = click.option(
    "--email", required=True, callback=an_email, help="The user's email address, which is the sign-in."
)
_ROLE = click.option("--role", type=click.Choice(["admin", "member"]), default="admin", show_default=True)


@click.group()
def users() -> None:
    """Sign-ins for the dashboard."""


@users.command()
@_EMAIL
@click.option(
    "--project",
    callback=a_name,
    help="Made where there is none. Without it: the only one, or else `default`.",
)
@_ROLE
def create(email: str, project: str | None, role: Role) -> None:
    """Make a user who is an operator, and print a password for the first sign-in, this once."""
    password = make_password()
    password_hash = hash_password(password)
    try:
        with database_connection(settings()) as connection:
            create_operator(connection, email, password_hash, project=project, role=role)
    except AlreadyExists as error:
        raise click.ClickException(f"there is already a user {email}") from error
    click.echo(password)


@users.command()
@_EMAIL
@click.option("--project", required=True, callback=a_name, help="Made where there is none.")
@_ROLE
def add(email: str, project: str, role: Role) -> None:
    """Let a user who is there already into a project, or change the user's role in it."""
    with database_connection(settings()) as connection:
        add_member(connection, email, project, role)
    click.echo(f"{email} is {role} of {project}")


@users.command()
@_EMAIL
def link(email: str) -> None:
    """Print a one-time link, valid for 7 days, with which a user chooses a password; its path, without PUBLIC_URL."""
    loaded = settings()
    try:
        with database_connection(loaded) as connection:
            token = make_link_for(connection, email)
    except NotFound as error:
        raise click.ClickException(f"there is no user {email}") from error
    click.echo(f"{loaded.public_url or ''}{LINK_PATH}{token}")


@users.command(name="list")
def list_users() -> None:
    """Show all users."""
    with database_connection(settings()) as connection:
        found = select_users(connection)
    show_table(("ID", "EMAIL", "OPERATOR", "PASSWORD", "CREATED", "PROJECTS"), [_cells(user) for user in found])


def _cells(user: UserDescription) -> tuple[str, ...]:
    operator = "yes" if user.is_operator else "no"
    password = "chosen" if user.has_password else "none yet"
    return (str(user.user_id), user.email, operator, password, time_text(user.created_at), ", ".join(user.projects))
