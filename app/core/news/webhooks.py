"""The life of a webhook: made, changed, tried, given another secret, deleted; each with its entry in the audit log.

Every function takes a connection in autocommit mode. A secret is returned once, to be shown once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from app.core.database import Connection
from app.core.errors import NotFound, Rejected
from app.core.news.sealing import ADDRESS, SECRET, seal
from app.core.news.signing import new_secret
from app.core.queries.audit_log import Action, Actor, insert_audit_entry
from app.core.queries.deliveries import give_up_deliveries, restart_delivery
from app.core.queries.news import insert_test_news
from app.core.queries.webhooks import (
    Webhook,
    count_webhooks,
    delete_webhook,
    insert_webhook,
    select_webhook,
    switch_webhook_off,
    update_webhook,
    update_webhook_address,
    update_webhook_secret,
)

MOST_WEBHOOKS = 20
SECRETS_OVERLAP = timedelta(hours=24)
SWITCHED_OFF = "The webhook was switched off before this was delivered."
GONE = "The webhook was switched off, because its receiver answered 410: it wants nothing more."
RECEIVER = Actor("receiver")
MISSING = "there is no such webhook in this project"


class TooManyWebhooks(Rejected):
    """The project has as many webhooks as a project may have."""


class SwitchedOff(Rejected):
    """The webhook is switched off, and gets nothing."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret that was just made. It is kept nowhere else in a form that can be read."""

    webhook_id: int
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAddress:
    """An address that was checked, and its host."""

    host: str
    text: str = field(repr=False)


def create_webhook(
    connection: Connection,
    key: bytes,
    project_id: int,
    *,
    name: str,
    address: WebhookAddress,
    kinds: Sequence[str],
    by: Actor,
) -> NewSecret:
    """`key` seals what is stored. Raises TooManyWebhooks."""
    secret = new_secret()
    with connection.transaction():
        if count_webhooks(connection, project_id) >= MOST_WEBHOOKS:
            raise TooManyWebhooks(f"a project has at most {MOST_WEBHOOKS} webhooks")
        webhook_id = insert_webhook(
            connection,
            project_id,
            name,
            host=address.host,
            sealed_address=seal(key, address.text, purpose=ADDRESS, project_id=project_id),
            sealed_secret=seal(key, secret, purpose=SECRET, project_id=project_id),
            kinds=kinds,
        )
        subject = f"{name} ({address.host})"
        insert_audit_entry(connection, Action.WEBHOOK_MADE, by, subject=subject, project_id=project_id)
    return NewSecret(webhook_id, secret)


def change_webhook(
    connection: Connection,
    key: bytes,
    project_id: int,
    webhook_id: int,
    *,
    name: str,
    address: WebhookAddress | None,
    kinds: Sequence[str],
    is_enabled: bool,
    by: Actor,
) -> None:
    """Without `address` it stays. What waits for a webhook that is switched off is given up. Raises NotFound."""
    with connection.transaction():
        changed = update_webhook(connection, project_id, webhook_id, name=name, kinds=kinds, is_enabled=is_enabled)
        if not changed:
            raise NotFound(MISSING)
        if address is not None:
            sealed = seal(key, address.text, purpose=ADDRESS, project_id=project_id)
            update_webhook_address(connection, project_id, webhook_id, host=address.host, sealed_address=sealed)
        if not is_enabled:
            give_up_deliveries(connection, webhook_id, answer=SWITCHED_OFF)
        subject = name + ("" if address is None else f" (now {address.host})") + ("" if is_enabled else " (now off)")
        insert_audit_entry(connection, Action.WEBHOOK_CHANGED, by, subject=subject, project_id=project_id)


def replace_secret(
    connection: Connection, key: bytes, project_id: int, webhook_id: int, *, by: Actor, now: datetime
) -> NewSecret:
    """A new secret; for a day messages are signed with the old one as well. Raises NotFound."""
    secret = new_secret()
    with connection.transaction():
        name = update_webhook_secret(
            connection,
            project_id,
            webhook_id,
            sealed_secret=seal(key, secret, purpose=SECRET, project_id=project_id),
            previous_secret_until=now + SECRETS_OVERLAP,
        )
        if name is None:
            raise NotFound(MISSING)
        insert_audit_entry(connection, Action.WEBHOOK_ROTATED, by, subject=name, project_id=project_id)
    return NewSecret(webhook_id, secret)


def remove_webhook(connection: Connection, project_id: int, webhook_id: int, *, by: Actor) -> str:
    """The name of the webhook, which goes with its deliveries; the news stays. Raises NotFound."""
    with connection.transaction():
        name = delete_webhook(connection, project_id, webhook_id)
        if name is None:
            raise NotFound(MISSING)
        insert_audit_entry(connection, Action.WEBHOOK_DELETED, by, subject=name, project_id=project_id)
    return name


def end_webhook(connection: Connection, project_id: int, webhook_id: int, *, sealed_address: bytes) -> None:
    """Switch it off because its receiver wants nothing more, unless it has another address by now."""
    with connection.transaction():
        name = switch_webhook_off(connection, project_id, webhook_id, sealed_address=sealed_address)
        if name is not None:
            give_up_deliveries(connection, webhook_id, answer=GONE)
            insert_audit_entry(connection, Action.WEBHOOK_ENDED, RECEIVER, subject=name, project_id=project_id)


def try_webhook(connection: Connection, project_id: int, webhook_id: int, *, by: Actor) -> None:
    """Have it sent a test. Raises NotFound, and SwitchedOff."""
    with connection.transaction():
        webhook = find_webhook(connection, project_id, webhook_id)
        if not insert_test_news(connection, webhook_id, project_id=project_id, period=str(uuid4())):
            raise SwitchedOff("switch the webhook on first")
        insert_audit_entry(connection, Action.WEBHOOK_TRIED, by, subject=webhook.name, project_id=project_id)


def repeat_delivery(
    connection: Connection, project_id: int, webhook_id: int, delivery_id: int, *, by: Actor, now: datetime
) -> None:
    """Try a delivery that was given up again. Raises NotFound, and SwitchedOff."""
    with connection.transaction():
        webhook = find_webhook(connection, project_id, webhook_id)
        if not webhook.is_enabled:
            raise SwitchedOff("switch the webhook on first")
        if not restart_delivery(connection, delivery_id, webhook_id=webhook_id, now=now):
            raise NotFound("this webhook has no such delivery that was given up")
        subject = f"{webhook.name} (delivery {delivery_id})"
        insert_audit_entry(connection, Action.DELIVERY_REPEATED, by, subject=subject, project_id=project_id)


def find_webhook(connection: Connection, project_id: int, webhook_id: int) -> Webhook:
    """Raises NotFound where the project has no such webhook."""
    found = select_webhook(connection, project_id, webhook_id)
    if found is None:
        raise NotFound(MISSING)
    return found
