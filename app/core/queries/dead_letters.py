"""Dead letters: buffer entries that can never be stored as they are, kept where a person sees them."""

from datetime import datetime
from typing import NamedTuple

from app.core.database import Connection

# An entry that is delivered twice is set aside once.
INSERT_DEAD_LETTER = """
INSERT INTO dead_letters (entry_id, payload, reason, received_at, project_id)
VALUES (%(entry_id)s, %(payload)s, %(reason)s, %(received_at)s, %(project_id)s)
ON CONFLICT DO NOTHING
"""

OF_PROJECT = "(%(project_id)s::integer IS NULL OR project_id = %(project_id)s)"

SELECT_DEAD_LETTERS = f"""
SELECT id, entry_id, reason, received_at, failed_at, octet_length(payload), project_id,
       (SELECT name FROM projects WHERE projects.id = dead_letters.project_id),
       substring(payload FOR %(preview_bytes)s)
FROM dead_letters
WHERE {OF_PROJECT}
ORDER BY id
LIMIT %(limit)s
"""

SELECT_DEAD_LETTER_IDS = f"""
SELECT id
FROM dead_letters
WHERE {OF_PROJECT} AND (%(reason)s::text IS NULL OR reason = %(reason)s)
ORDER BY id
LIMIT %(limit)s
"""

COUNT_DEAD_LETTERS_BY_REASON = f"""
SELECT reason, count(*), min(failed_at), max(failed_at)
FROM dead_letters
WHERE {OF_PROJECT}
GROUP BY reason
ORDER BY count(*) DESC, reason
"""

DELETE_DEAD_LETTER = f"""
DELETE FROM dead_letters WHERE id = %(dead_letter_id)s AND {OF_PROJECT} RETURNING payload, received_at
"""


class DeadLetter(NamedTuple):
    """A dead letter with no more than the beginning of its bytes. Times are in UTC.

    `project_id` is None where the entry could not be decoded, `project`, its name, also where there is none with it.
    """

    dead_letter_id: int
    entry_id: str
    reason: str
    received_at: datetime
    failed_at: datetime
    payload_bytes: int
    project_id: int | None
    project: str | None
    preview: bytes


class DeadLetterReason(NamedTuple):
    """How many dead letters have a reason, and when the first and the last of them failed, in UTC."""

    reason: str
    letters: int
    first_failed_at: datetime
    last_failed_at: datetime


def insert_dead_letter(
    connection: Connection,
    entry_id: str,
    payload: bytes,
    reason: str,
    received_at: datetime,
    *,
    project_id: int | None = None,
) -> None:
    """Set an entry aside; once, however often it is delivered."""
    connection.execute(
        INSERT_DEAD_LETTER,
        {
            "entry_id": entry_id,
            "payload": payload,
            "reason": reason,
            "received_at": received_at,
            "project_id": project_id,
        },
    )


def select_dead_letters(
    connection: Connection, *, limit: int, project_id: int | None = None, preview_bytes: int = 0
) -> list[DeadLetter]:
    """The oldest ones, oldest first; with a project only that one's."""
    parameters = {"limit": limit, "project_id": project_id, "preview_bytes": preview_bytes}
    return [DeadLetter(*row) for row in connection.execute(SELECT_DEAD_LETTERS, parameters)]


def select_dead_letter_ids(
    connection: Connection, *, project_id: int | None = None, reason: str | None = None, limit: int | None = None
) -> list[int]:
    """The ids, oldest first: of all, or of those of a project or with a reason."""
    parameters = {"project_id": project_id, "reason": reason, "limit": limit}
    return [int(row[0]) for row in connection.execute(SELECT_DEAD_LETTER_IDS, parameters)]


def count_dead_letters_by_reason(connection: Connection, *, project_id: int | None) -> list[DeadLetterReason]:
    """The reasons, the most frequent first; with a project only that one's."""
    rows = connection.execute(COUNT_DEAD_LETTERS_BY_REASON, {"project_id": project_id})
    return [DeadLetterReason(*row) for row in rows]


def delete_dead_letter(
    connection: Connection, dead_letter_id: int, *, project_id: int | None = None
) -> tuple[bytes, datetime] | None:
    """Delete one; returns its bytes and when it first came in.

    None where it is not there (any more), or not in the project where one is named.
    """
    parameters = {"dead_letter_id": dead_letter_id, "project_id": project_id}
    row = connection.execute(DELETE_DEAD_LETTER, parameters).fetchone()
    return None if row is None else (bytes(row[0]), row[1])
