"""`demo`: fill a project with believable history, through the API as any client would."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import click

from app.commands.parameters import a_name
from app.commands.servers import database_connection, redis_connection, settings
from app.core.database import Connection
from app.core.keys.lifecycle import create_key, revoke_key
from app.core.news.limits import set_budget
from app.core.queries.api_keys import select_first_key_at
from app.core.queries.audit_log import COMMAND_LINE
from app.core.queries.budgets import select_budgets
from app.core.queries.memberships import insert_membership, select_members
from app.core.queries.names import update_prompt_name, update_version_name
from app.core.queries.projects import insert_project
from app.core.queries.spend import select_spent_by_prompt
from app.core.queries.users import select_users
from app.core.stream.state import state_of as state_of_buffer
from app.demo.events import OLDEST_DAYS, SLICE_SECONDS, History
from app.demo.sending import send
from app.demo.story import PROMPTS
from config.settings import Settings

SENDERS = 4
SPARE_SECONDS = 300.0
"""The oldest events must not become too old while they are being sent."""
STORE_SECONDS = 120.0
LOOK_SECONDS = 0.1
MOST_EVENTS = 100_000_000
LONGEST_RUN = timedelta(hours=6)
BUDGET_OF = timedelta(days=30)
CENT = Decimal("0.01")
RATE_LIMIT = "1000000/second"


def _url(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise click.BadParameter("must be where the service is, such as http://127.0.0.1:8000")
    return value.rstrip("/")


@click.command()
@click.option(
    "--project",
    default="demo",
    show_default=True,
    callback=a_name,
    help="The project's name; it is made where there is none.",
)
@click.option(
    "--days", default=30, show_default=True, type=click.IntRange(1, OLDEST_DAYS), help="How far back it goes."
)
@click.option(
    "--events", default=60_000, show_default=True, type=click.IntRange(1, MOST_EVENTS), help="About how many."
)
@click.option("--url", callback=_url, help="Where the service is; by default on this machine, at PORT.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Another seed, other numbers.")
def demo(project: str, days: int, events: int, url: str | None, seed: int) -> None:
    """Fill a project with believable history: ten prompts, their versions and how they replaced each other.

    The same command again stores nothing twice; it adds what has happened since.
    """
    current = settings()
    url = url or f"http://127.0.0.1:{current.port}"
    name = f"demo: {events} events, {days} days, seed {seed}"
    with database_connection(current) as connection:
        project_id = insert_project(connection, project)
        with _own_key(current, connection, project_id, name) as api_key:
            began_at = select_first_key_at(connection, project_id, name).timestamp()
            end = began_at // SLICE_SECONDS * SLICE_SECONDS
            history = History(seed, events / days, days, end)
            sent = _send_all(history, url, api_key, idempotency_prefix=f"demo-{events}-{days}-{seed}-{end:.0f}")
        _let_operators_in(connection, project_id)
        _wait_until_stored(current, time.monotonic())
        _give_names(connection, project_id)
        _set_budgets(connection, project_id, datetime.now(UTC))
    click.echo(f"{sent} events of {len(PROMPTS)} prompts are in the project {project}: {url}/dashboard")
    click.echo(f"What is news in it stands within a minute at {url}/dashboard/news")


@contextmanager
def _own_key(current: Settings, connection: Connection, project_id: int, name: str) -> Iterator[str]:
    """A key that is revoked at the end; it stays in the list of keys, where its first making dates the story."""
    with redis_connection(current) as client:
        now = datetime.now(UTC)
        made = create_key(
            connection,
            client,
            project_id=project_id,
            name=name,
            scopes=["ingest"],
            rate_limit=RATE_LIMIT,
            # for a run that is killed before it can revoke the key
            expires_at=now + LONGEST_RUN,
            by=COMMAND_LINE,
            now=now,
        )
        try:
            yield made.key
        finally:
            revoke_key(connection, client, made.key_id, COMMAND_LINE)


def _send_all(history: History, url: str, api_key: str, *, idempotency_prefix: str) -> int:
    """Generates and sends all slices; returns the number of events. What failed first is raised."""
    slices = list(history.slices(time.time(), spare_seconds=SPARE_SECONDS))

    def send_slice(slice_start: int) -> int:
        idempotency_key = f"{idempotency_prefix}/{slice_start}"
        return send(history.events(slice_start), url, api_key, idempotency_key=idempotency_key)

    sent = 0
    with ThreadPoolExecutor(SENDERS) as pool:
        waiting = [pool.submit(send_slice, slice_start) for slice_start in slices]
        try:
            hidden = not sys.stderr.isatty()
            finished = as_completed(waiting)
            with click.progressbar(finished, len(waiting), "Sending", file=sys.stderr, hidden=hidden) as done:
                for each in done:
                    sent += each.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return sent


def _wait_until_stored(current: Settings, sent_at: float) -> None:
    """Until the buffer holds nothing older than the end of the sending."""
    with redis_connection(current) as client:
        while state_of_buffer(client).oldest_age_seconds > (waited := time.monotonic() - sent_at):
            if waited > STORE_SECONDS:
                raise click.ClickException(
                    "the events are in the buffer, but no worker stores them; start one, then repeat this command"
                )
            time.sleep(LOOK_SECONDS)


def _let_operators_in(connection: Connection, project_id: int) -> None:
    """Into a project that nobody could look at otherwise."""
    if not select_members(connection, project_id):
        for user in select_users(connection):
            if user.is_operator:
                insert_membership(connection, project_id, user.user_id, "admin")


def _give_names(connection: Connection, project_id: int) -> None:
    for prompt in PROMPTS:
        update_prompt_name(connection, project_id, prompt.prompt_id, prompt.name, only_unset=True)
        for version in prompt.versions:
            version_hash = prompt.version_hash(version)
            update_version_name(connection, project_id, prompt.prompt_id, version_hash, version.name, only_unset=True)


def _set_budgets(connection: Connection, project_id: int, now: datetime) -> None:
    """What the last weeks have cost for the project, and half of that for its dearest prompt, in two digits.

    Where there are no budgets yet: what a month reaches of them is news, which the worker finds.
    """
    spent = {each.prompt_id: each.usd for each in select_spent_by_prompt(connection, project_id, now - BUDGET_OF)}
    if not spent or select_budgets(connection, now, now, project_id=project_id):
        return
    dearest = max(spent, key=lambda prompt_id: spent[prompt_id])
    for prompt_id, usd in ((None, sum(spent.values())), (dearest, spent[dearest] / 2)):
        amount = max(CENT, Decimal(f"{usd:.2g}").quantize(CENT))
        set_budget(connection, project_id, prompt_id, amount, by=COMMAND_LINE)
