"""Dead letters: buffer entries that can never be stored as they are, kept where a person sees them."""

from datetime import datetime
from typing import NamedTuple

from app.core.database import Connection

# An entry that is delivered twice is set aside once.
INSERT_DEAD_LETTER = """
INSERT INTO dead_letters (entry_id, payload, reason, received_at)
VALUES (%(entry_id)s, %(payload)s, %(reason)s, %(received_at)s)
ON CONFLICT DO NOTHING
"""

SELECT_DEAD_LETTERS = """
SELECT id, entry_id, reason, received_at, failed_at, octet_length(payload)
FROM dead_letters
ORDER BY id
LIMIT %(limit)s
"""

SELECT_DEAD_LETTER_IDS = "SELECT id FROM dead_letters ORDER BY id"

DELETE_DEAD_LETTER = "DELETE FROM dead_letters WHERE id = %(dead_letter_id)s RETURNING payload, received_at"


class DeadLetter(NamedTuple):
    """A dead letter without its bytes. Times are in UTC."""

    dead_letter_id: int
    entry_id: str
    reason: str
    received_at: datetime
    failed_at: datetime
    payload_bytes: int


def insert_dead_letter(
    connection: Connection, entry_id: str, payload: bytes, reason: str, received_at: datetime
) -> None:
    """Set an entry aside; once, however often it is delivered."""
    connection.execute(
        INSERT_DEAD_LETTER,
        {"entry_id": entry_id, "payload": payload, "reason": reason, "received_at": received_at},
    )


def select_dead_letters(connection: Connection, *, limit: int) -> list[DeadLetter]:
    """The oldest ones, oldest first."""
    return [DeadLetter(*row) for row in connection.execute(SELECT_DEAD_LETTERS, {"limit": limit})]


def select_dead_letter_ids(connection: Connection) -> list[int]:
    """The ids of all, oldest first."""
    return [int(row[0]) for row in connection.execute(SELECT_DEAD_LETTER_IDS)]


def delete_dead_letter(connection: Connection, dead_letter_id: int) -> tuple[bytes, datetime] | None:
    """Delete one; returns its bytes and when it first came in, or None where it is not there (any more)."""
    row = connection.execute(DELETE_DEAD_LETTER, {"dead_letter_id": dead_letter_id}).fetchone()
    return None if row is None else (bytes(row[0]), row[1])
