"""`users`: sign-ins for the dashboard. Whoever is made here is an operator."""

import click

from app.commands.parameters import a_name, an_email
from app.commands.servers import database_connection, settings
from app.commands.tables import show_table, time_text
from app.core.accounts.links import make_link_for
from app.core.accounts.members import add_member
from app.core.accounts.passwords import hash_password, make_password
from app.core.accounts.users import create_operator, disable_user, enable_user, make_operator, revoke_operator
from app.core.errors import AlreadyExists, NotConfirmed
from app.core.queries.audit_log import COMMAND_LINE
from app.core.queries.memberships import Role
from app.core.queries.users import StoredUser, UserDescription, select_user, select_users

LINK_PATH = "/login/link/"
_UNKNOWN_HOLDER = (
    "nobody has vouched for it that {} belongs to whoever has its password: have them use a link (`users link`) first"
)

_EMAIL = click.option(
    "--email", required=True, callback=an_email, help="The user's email address, which is the sign-in."
)
_AN_EMAIL = click.argument("email", callback=an_email)
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
            create_operator(connection, email, password_hash, project=project, role=role, by=COMMAND_LINE)
    except AlreadyExists as error:
        raise click.ClickException(f"there is already a user {email}") from error
    click.echo(password)


@users.command()
@click.option(
    "--email", default="admin@localhost", show_default=True, callback=an_email, help="The sign-in of the first user."
)
@click.option("--url", help="Where people find the service, if PUBLIC_URL does not say it.")
def first(email: str, url: str | None) -> None:
    """Where there is no user yet, make one who is an operator and print the sign-in; for scripts of every start."""
    loaded, password = settings(), make_password()
    with database_connection(loaded) as connection:
        if select_users(connection):
            click.echo("there are users already")
            return
        create_operator(connection, email, hash_password(password), project=None, role="admin", by=COMMAND_LINE)
    click.echo(f"Dashboard  {loaded.public_url or url or ''}/login\nSign-in    {email}  {password}")


@users.command()
@_EMAIL
@click.option("--project", required=True, callback=a_name, help="Made where there is none.")
@_ROLE
@click.option("--confirm", is_flag=True, help="You know that whoever has the password is whom the email names.")
def add(email: str, project: str, role: Role, *, confirm: bool) -> None:
    """Let a user who is there already into a project, or change the user's role in it."""
    with database_connection(settings()) as connection:
        try:
            user = add_member(connection, email, project, role, COMMAND_LINE, confirm=confirm)
        except NotConfirmed as error:
            advice = f"or say --confirm if you know it ({_chosen(select_user(connection, email))})"
            raise click.ClickException(f"{_UNKNOWN_HOLDER.format(email)}, {advice}") from error
    click.echo(f"{email} is {role} of {project}")
    if confirm and not user.is_confirmed:
        click.echo(f"{email} is in all projects that had invited them ({_chosen(user)})")


@users.command()
@_EMAIL
def link(email: str) -> None:
    """Print a one-time link, valid for 7 days, with which a user chooses a password; its path, without PUBLIC_URL."""
    loaded = settings()
    with database_connection(loaded) as connection:
        token = make_link_for(connection, email, COMMAND_LINE)
    click.echo(f"{loaded.public_url or ''}{LINK_PATH}{token}")


@users.command()
@_AN_EMAIL
def disable(email: str) -> None:
    """Sign a user out everywhere, and let them in no more."""
    with database_connection(settings()) as connection:
        disable_user(connection, email, COMMAND_LINE)
    click.echo(f"{email} is disabled and signed out; API keys that they made go on: see `keys list`")


@users.command()
@_AN_EMAIL
def enable(email: str) -> None:
    """Let a user who was disabled sign in again."""
    with database_connection(settings()) as connection:
        enable_user(connection, email, COMMAND_LINE)
    click.echo(f"{email} can sign in again, with the password from before")


@users.command(name="revoke-operator")
@_AN_EMAIL
def revoke_operator_command(email: str) -> None:
    """Make an operator a user like others, and sign them out."""
    with database_connection(settings()) as connection:
        revoke_operator(connection, email, COMMAND_LINE)
    click.echo(f"{email} is no operator and is signed out; projects that they are a member of stay")


@users.command(name="make-operator")
@_AN_EMAIL
def make_operator_command(email: str) -> None:
    """Make a user an operator, who is admin of every project."""
    try:
        with database_connection(settings()) as connection:
            make_operator(connection, email, COMMAND_LINE)
    except NotConfirmed as error:
        raise click.ClickException(_UNKNOWN_HOLDER.format(email)) from error
    click.echo(f"{email} is an operator")


@users.command(name="list")
def list_users() -> None:
    """Show all users."""
    with database_connection(settings()) as connection:
        found = select_users(connection)
    headings = ("ID", "EMAIL", "OPERATOR", "STATE", "PASSWORD", "CREATED", "PROJECTS")
    show_table(headings, [_cells(user) for user in found])


def _chosen(user: StoredUser | None) -> str:
    """Whom a confirmation vouches for depends on when: whoever chose the password later may be somebody else."""
    if user is None or user.password_hash is None:
        return "no password chosen yet"
    changed_at = user.password_changed_at
    return f"password chosen {'at an unknown time' if changed_at is None else time_text(changed_at)}"


def _cells(user: UserDescription) -> tuple[str, ...]:
    operator = "yes" if user.is_operator else "no"
    password = "chosen" if user.has_password else "none yet"
    state = "disabled" if user.is_disabled else "enabled"
    described = (str(user.user_id), user.email, operator, state, password)
    return (*described, time_text(user.created_at), ", ".join(user.projects))
