"""Dead letters: buffer entries that can never be stored as they are, kept where a person sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.database import Connection
from app.core.queries.rows import all_rows, all_values, one_row

COUNTED_LETTERS = 10_000

# An entry that is delivered twice is set aside once, and so is one that was replayed meanwhile: it keeps its first id.
INSERT_DEAD_LETTER = """
INSERT INTO dead_letters (entry_id, payload, reason, received_at, project_id)
VALUES (%(entry_id)s, %(payload)s, %(reason)s, %(received_at)s, %(project_id)s)
ON CONFLICT DO NOTHING
"""


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
    parameters = {
        "entry_id": entry_id,
        "payload": payload,
        "reason": reason,
        "received_at": received_at,
        "project_id": project_id,
    }
    connection.execute(INSERT_DEAD_LETTER, parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
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


def select_dead_letters(
    connection: Connection, *, limit: int, after: int = 0, project_id: int | None = None, preview_bytes: int = 0
) -> list[DeadLetter]:
    """The oldest ones whose ids come after `after`, oldest first; with a project only that one's."""
    sql = """
        SELECT id AS dead_letter_id, entry_id, reason, received_at, failed_at, octet_length(payload) AS payload_bytes,
               project_id, (SELECT name FROM projects WHERE projects.id = dead_letters.project_id) AS project,
               substring(payload FOR %(preview_bytes)s) AS preview
        FROM dead_letters
        WHERE (%(project_id)s::integer IS NULL OR project_id = %(project_id)s) AND id > %(after)s
        ORDER BY id
        LIMIT %(limit)s
    """
    parameters = {"limit": limit, "after": after, "project_id": project_id, "preview_bytes": preview_bytes}
    return all_rows(connection, DeadLetter, sql, parameters)


def select_dead_letter_ids(
    connection: Connection, *, project_id: int | None = None, reason: str | None = None, limit: int | None = None
) -> list[int]:
    """The ids, oldest first: of all, or of those of a project or with a reason."""
    sql = """
        SELECT id
        FROM dead_letters
        WHERE (%(project_id)s::integer IS NULL OR project_id = %(project_id)s)
          AND (%(reason)s::text IS NULL OR reason = %(reason)s)
        ORDER BY id
        LIMIT %(limit)s
    """
    parameters = {"project_id": project_id, "reason": reason, "limit": limit}
    return all_values(connection, sql, parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterReason:
    """How many dead letters have a reason, and when the first and the last of them failed, in UTC."""

    reason: str
    letters: int
    first_failed_at: datetime
    last_failed_at: datetime


@dataclass(frozen=True, slots=True)
class DeadLetterReasons:
    """The most frequent first. `all_counted`: else only the oldest and the newest, COUNTED_LETTERS in all, were."""

    reasons: list[DeadLetterReason]
    all_counted: bool

    @property
    def letters(self) -> int:
        """Those that were counted."""
        return sum(each.letters for each in self.reasons)


def count_dead_letters_by_reason(connection: Connection, *, project_id: int | None) -> DeadLetterReasons:
    """The reasons; with a project only that one's. Of very many both ends are looked at, however many there are."""
    # BETWEEN, since the planner takes an equality for a reason to read the primary key, and all that others have
    sql = """
        WITH counted AS (
            (
                SELECT id, reason, failed_at FROM dead_letters
                WHERE %(project_id)s::integer IS NULL
                ORDER BY id LIMIT %(oldest)s
            )
            UNION
            (
                SELECT id, reason, failed_at FROM dead_letters
                WHERE %(project_id)s::integer IS NULL
                ORDER BY id DESC LIMIT %(newest)s
            )
            UNION
            (
                SELECT id, reason, failed_at FROM dead_letters
                WHERE project_id BETWEEN %(project_id)s AND %(project_id)s
                ORDER BY project_id, id LIMIT %(oldest)s
            )
            UNION
            (
                SELECT id, reason, failed_at FROM dead_letters
                WHERE project_id BETWEEN %(project_id)s AND %(project_id)s
                ORDER BY project_id DESC, id DESC LIMIT %(newest)s
            )
        )
        SELECT reason, count(*) AS letters, min(failed_at) AS first_failed_at, max(failed_at) AS last_failed_at
        FROM counted
        GROUP BY reason
        ORDER BY letters DESC, reason
    """
    newest = COUNTED_LETTERS // 2
    oldest = COUNTED_LETTERS - newest + 1
    parameters = {"project_id": project_id, "oldest": oldest, "newest": newest}
    reasons = all_rows(connection, DeadLetterReason, sql, parameters)
    return DeadLetterReasons(reasons, sum(each.letters for each in reasons) < oldest + newest)


def count_dead_letters_by_project(connection: Connection) -> dict[int | None, int]:
    """Of each project that has some how many, up to COUNTED_LETTERS; under None those whose project is not known."""
    # From project to project by the index; after the last one comes NULL. With = for the range of one, the planner
    # would rather read all where few projects have most.
    sql = """
        WITH RECURSIVE owner AS (
            SELECT (SELECT min(project_id) FROM dead_letters) AS project_id
            UNION ALL
            SELECT (SELECT min(project_id) FROM dead_letters WHERE project_id > owner.project_id)
            FROM owner
            WHERE owner.project_id IS NOT NULL
        )
        SELECT owner.project_id, counted.letters
        FROM owner
        CROSS JOIN LATERAL (
            SELECT count(*) AS letters
            FROM (
                (
                    SELECT
                    FROM dead_letters
                    WHERE project_id BETWEEN owner.project_id AND owner.project_id
                    ORDER BY project_id, id
                    LIMIT %(most)s
                )
                UNION ALL
                (
                    SELECT
                    FROM dead_letters
                    WHERE project_id IS NULL AND owner.project_id IS NULL
                    ORDER BY project_id, id
                    LIMIT %(most)s
                )
            ) AS letter
        ) AS counted
        WHERE counted.letters > 0
    """
    return dict(connection.execute(sql, {"most": COUNTED_LETTERS}).fetchall())


def select_set_aside(connection: Connection, entry_ids: Sequence[str]) -> set[str]:
    """Which of these ids of entries there are dead letters of."""
    sql = "SELECT entry_id FROM dead_letters WHERE entry_id = ANY(%(entry_ids)s)"
    return set(all_values(connection, sql, {"entry_ids": list(entry_ids)}))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedLetter:
    """What there was of a dead letter's entry: its id and bytes, and when it first came in."""

    entry_id: str
    payload: bytes
    received_at: datetime


def delete_dead_letter(
    connection: Connection, dead_letter_id: int, *, project_id: int | None = None
) -> DeletedLetter | None:
    """Delete one; None where it is not there (any more), or not in the project where one is named."""
    sql = """
        DELETE FROM dead_letters
        WHERE id = %(dead_letter_id)s AND (%(project_id)s::integer IS NULL OR project_id = %(project_id)s)
        RETURNING entry_id, payload, received_at
    """
    parameters = {"dead_letter_id": dead_letter_id, "project_id": project_id}
    return one_row(connection, DeletedLetter, sql, parameters)
