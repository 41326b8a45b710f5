"""The audit log: who did what, on what, from where. Nothing in it is a secret, and only its age deletes an entry."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.core.database import Connection
from app.core.queries.deletion import delete_in_batches
from app.core.queries.rows import all_rows, one_value

KEPT_DAYS = 400


class Action(StrEnum):
    """What can have been done; the value is what is stored, and what people read."""

    SIGNED_IN = "signed in"
    SIGN_IN_FAILED = "sign-in failed"
    SIGNED_OUT = "signed out"
    PASSWORD_CHANGED = "password changed"  # noqa: S105 - what was done
    PASSWORD_CHECK_FAILED = "password check failed"  # noqa: S105 - what was done
    LINK_MADE = "link made"
    LINK_USED = "link used"
    INVITED = "invited"
    INVITATION_WITHDRAWN = "invitation withdrawn"
    JOINED = "joined"
    ROLE_CHANGED = "role changed"
    MEMBER_REMOVED = "member removed"
    PROJECT_MADE = "project made"
    SIGN_IN_CONFIRMED = "sign-in confirmed"
    USER_MADE = "user made"
    USER_DISABLED = "user disabled"
    USER_ENABLED = "user enabled"
    OPERATOR_MADE = "operator made"
    OPERATOR_REVOKED = "operator revoked"
    KEY_MADE = "key made"
    KEY_ROTATED = "key rotated"
    KEY_CHANGED = "key changed"
    KEY_REVOKED = "key revoked"
    LETTERS_REPLAYED = "dead letters replayed"
    LETTERS_DISCARDED = "dead letters discarded"
    WEBHOOK_MADE = "webhook made"
    WEBHOOK_CHANGED = "webhook changed"
    WEBHOOK_ROTATED = "webhook secret replaced"
    WEBHOOK_TRIED = "webhook tried"
    WEBHOOK_ENDED = "webhook switched off: 410"
    WEBHOOK_DELETED = "webhook deleted"
    DELIVERY_REPEATED = "delivery repeated"
    BUDGET_CHANGED = "budget changed"
    SILENCE_CHANGED = "silence changed"
    MARGINS_SET = "margins set"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it: a user by id and email, from this address; what has no user has no id."""

    name: str | None
    user_id: int | None = None
    address: str | None = None


COMMAND_LINE = Actor("command line")


def insert_audit_entry(
    connection: Connection,
    action: Action,
    by: Actor,
    *,
    subject: str | None = None,
    project_id: int | None = None,
    user_id: int | None = None,
) -> int:
    """Add an entry, in the transaction of the change; returns its id.

    `subject`: on what, in words. `user_id`: whose account it is about, for what concerns no project.
    """
    sql = """
        INSERT INTO audit_log (action, actor, actor_id, address, subject, project_id, user_id)
        VALUES (%(action)s, %(actor)s, %(actor_id)s, %(address)s, %(subject)s, %(project_id)s, %(user_id)s)
        RETURNING id
    """
    parameters = {
        "action": action.value,
        "actor": by.name,
        "actor_id": by.user_id,
        "address": by.address,
        "subject": subject,
        "project_id": project_id,
        "user_id": user_id,
    }
    return int(one_value(connection, sql, parameters))


def add_item(connection: Connection, entry_id: int) -> bool:
    """Let an entry be about one thing more; False where it is not there."""
    sql = "UPDATE audit_log SET items = items + 1 WHERE id = %(entry_id)s"
    return connection.execute(sql, {"entry_id": entry_id}).rowcount == 1


def lock_entry_of_hour(connection: Connection, action: Action, address: str | None) -> int | None:
    """The id of this hour's entry of nobody's account from the address; None where there is none.

    Whoever else asks for the same one waits until the transaction ends, so that there is one only.
    """
    parameters = {"action": action.value, "address": address}
    lock = "SELECT pg_advisory_xact_lock(hashtext(%(action)s), hashtext(coalesce(%(address)s::text, '')))"
    connection.execute(lock, parameters)
    sql = """
        SELECT id
        FROM audit_log
        WHERE occurred_at >= date_trunc('hour', now())
          AND action = %(action)s
          AND user_id IS NULL
          AND address IS NOT DISTINCT FROM %(address)s::text
        ORDER BY id DESC
        LIMIT 1
    """
    found: int | None = one_value(connection, sql, parameters)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An entry as people read it; `project` is the name that the project has now."""

    entry_id: int
    occurred_at: datetime
    action: str
    actor: str | None
    subject: str | None
    project_id: int | None
    project: str | None
    address: str | None
    items: int


def select_audit_entries(
    connection: Connection,
    *,
    project_id: int | None,
    action: str | None = None,
    text: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[AuditEntry]:
    """The newest entries, the newest first: those of the whole service, or with a project what its admins may see.

    That is what was done in the project, and what concerns the accounts of its members since they joined: without the
    address, and without operators, for an admin makes a member of whomever they invite. `text` is in actor or subject;
    `before` is the id of an entry: only older ones.
    """
    sql = """
        SELECT id AS entry_id, occurred_at, action, actor, subject, project_id,
               (SELECT name FROM projects WHERE projects.id = audit_log.project_id) AS project,
               CASE WHEN %(project_id)s::integer IS NULL OR project_id IS NOT NULL THEN address END AS address, items
        FROM audit_log
        WHERE (%(project_id)s::integer IS NULL
               OR project_id = %(project_id)s
               OR project_id IS NULL AND EXISTS (
                      SELECT FROM memberships
                      JOIN users ON users.id = memberships.user_id
                      WHERE memberships.project_id = %(project_id)s
                        AND memberships.user_id = audit_log.user_id
                        AND NOT users.is_operator
                        AND memberships.created_at <= audit_log.occurred_at
                  ))
          AND (%(action)s::text IS NULL OR action = %(action)s)
          AND (%(text)s::text IS NULL
               OR strpos(lower(actor), lower(%(text)s)) > 0 OR strpos(lower(subject), lower(%(text)s)) > 0)
          AND (%(before)s::bigint IS NULL OR id < %(before)s)
        ORDER BY id DESC
        LIMIT %(limit)s
    """
    parameters = {"project_id": project_id, "action": action, "text": text, "before": before, "limit": limit}
    return all_rows(connection, AuditEntry, sql, parameters)


def delete_old_audit_entries(connection: Connection, now: datetime) -> None:
    """Delete what is older than KEPT_DAYS, a batch at a time, and no more batches than one upkeep may take."""
    sql = """
        DELETE FROM audit_log
        WHERE id IN (SELECT id FROM audit_log WHERE occurred_at < %(before)s ORDER BY occurred_at LIMIT %(limit)s)
    """
    delete_in_batches(connection, sql, before=now - timedelta(days=KEPT_DAYS))
