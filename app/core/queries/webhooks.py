"""Webhooks: where a project's news goes. What is sealed only app.core.news.sealing can read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.database import Connection
from app.core.queries.rows import all_rows, one_row, one_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook as admins see it; `host` is that of its address, which may have a secret in its path. Times in UTC.

    `given_up` and `failing`: how many of its deliveries were given up, and failed at least once and are tried again.
    """

    webhook_id: int
    name: str
    host: str
    kinds: list[str]
    is_enabled: bool
    created_at: datetime
    previous_secret_until: datetime | None
    last_delivered_at: datetime | None
    failing: int
    given_up: int


_COLUMNS = """
    webhooks.id AS webhook_id, webhooks.name, webhooks.host, webhooks.kinds, webhooks.is_enabled, webhooks.created_at,
    webhooks.previous_secret_until, told.last_delivered_at, told.failing, told.given_up
"""
_TOLD = """
    CROSS JOIN LATERAL (
        SELECT max(deliveries.ended_at) FILTER (WHERE deliveries.state = 'delivered') AS last_delivered_at,
               count(*) FILTER (WHERE deliveries.state = 'pending' AND deliveries.answer IS NOT NULL) AS failing,
               count(*) FILTER (WHERE deliveries.state = 'given_up') AS given_up
        FROM deliveries
        WHERE deliveries.webhook_id = webhooks.id
    ) AS told
"""


def insert_webhook(
    connection: Connection,
    project_id: int,
    name: str,
    *,
    host: str,
    sealed_address: bytes,
    sealed_secret: bytes,
    kinds: Sequence[str],
) -> int:
    sql = """
        INSERT INTO webhooks (project_id, name, host, sealed_address, sealed_secret, kinds)
        VALUES (%(project_id)s, %(name)s, %(host)s, %(sealed_address)s, %(sealed_secret)s, %(kinds)s)
        RETURNING id
    """
    parameters = {
        "project_id": project_id,
        "name": name,
        "host": host,
        "sealed_address": sealed_address,
        "sealed_secret": sealed_secret,
        "kinds": list(kinds),
    }
    return int(one_value(connection, sql, parameters))


def count_webhooks(connection: Connection, project_id: int) -> int:
    """Whoever asks in a transaction is alone in making one in this project until it ends."""
    connection.execute("SELECT FROM projects WHERE id = %(project_id)s FOR UPDATE", {"project_id": project_id})
    sql = "SELECT count(*) FROM webhooks WHERE project_id = %(project_id)s"
    return int(one_value(connection, sql, {"project_id": project_id}))


def select_webhooks(connection: Connection, project_id: int) -> list[Webhook]:
    sql = f"SELECT {_COLUMNS} FROM webhooks {_TOLD} WHERE webhooks.project_id = %(project_id)s ORDER BY webhooks.id"
    return all_rows(connection, Webhook, sql, {"project_id": project_id})


def select_webhook(connection: Connection, project_id: int, webhook_id: int) -> Webhook | None:
    """None where the project has no such webhook."""
    sql = f"""
        SELECT {_COLUMNS} FROM webhooks {_TOLD}
        WHERE webhooks.project_id = %(project_id)s AND webhooks.id = %(webhook_id)s
    """
    return one_row(connection, Webhook, sql, {"project_id": project_id, "webhook_id": webhook_id})


def update_webhook(
    connection: Connection,
    project_id: int,
    webhook_id: int,
    *,
    name: str,
    kinds: Sequence[str],
    is_enabled: bool,
) -> bool:
    """False where the project has no such webhook."""
    sql = """
        UPDATE webhooks
        SET name = %(name)s, kinds = %(kinds)s, is_enabled = %(is_enabled)s
        WHERE project_id = %(project_id)s AND id = %(webhook_id)s
    """
    parameters = {
        "name": name,
        "kinds": list(kinds),
        "is_enabled": is_enabled,
        "project_id": project_id,
        "webhook_id": webhook_id,
    }
    return connection.execute(sql, parameters).rowcount == 1


def update_webhook_address(
    connection: Connection, project_id: int, webhook_id: int, *, host: str, sealed_address: bytes
) -> None:
    sql = """
        UPDATE webhooks
        SET host = %(host)s, sealed_address = %(sealed_address)s
        WHERE project_id = %(project_id)s AND id = %(webhook_id)s
    """
    parameters = {
        "host": host,
        "sealed_address": sealed_address,
        "project_id": project_id,
        "webhook_id": webhook_id,
    }
    connection.execute(sql, parameters)


def switch_webhook_off(
    connection: Connection, project_id: int, webhook_id: int, *, sealed_address: bytes
) -> str | None:
    """The name of the webhook; None where it is not there, off already, or has another address."""
    sql = """
        UPDATE webhooks
        SET is_enabled = false
        WHERE project_id = %(project_id)s AND id = %(webhook_id)s AND is_enabled
          AND sealed_address = %(sealed_address)s
        RETURNING name
    """
    parameters = {"project_id": project_id, "webhook_id": webhook_id, "sealed_address": sealed_address}
    found: str | None = one_value(connection, sql, parameters)
    return found


def update_webhook_secret(
    connection: Connection,
    project_id: int,
    webhook_id: int,
    *,
    sealed_secret: bytes,
    previous_secret_until: datetime,
) -> str | None:
    """The name of the webhook, whose secret so far signs as well until then; None where there is none."""
    sql = """
        UPDATE webhooks
        SET sealed_previous_secret = sealed_secret,
            sealed_secret = %(sealed_secret)s,
            previous_secret_until = %(previous_secret_until)s
        WHERE project_id = %(project_id)s AND id = %(webhook_id)s
        RETURNING name
    """
    parameters = {
        "sealed_secret": sealed_secret,
        "previous_secret_until": previous_secret_until,
        "project_id": project_id,
        "webhook_id": webhook_id,
    }
    found: str | None = one_value(connection, sql, parameters)
    return found


def delete_webhook(connection: Connection, project_id: int, webhook_id: int) -> str | None:
    """Delete it with its deliveries; returns its name, None where the project has no such webhook."""
    sql = "DELETE FROM webhooks WHERE project_id = %(project_id)s AND id = %(webhook_id)s RETURNING name"
    found: str | None = one_value(connection, sql, {"project_id": project_id, "webhook_id": webhook_id})
    return found
