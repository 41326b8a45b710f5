"""Acknowledged events that are nowhere, as app.core.queries.ledger found them."""

from dataclasses import dataclass
from datetime import datetime

from app.core.database import Connection
from app.core.queries.rows import all_rows, one_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """How many acknowledged events are missing; acknowledged between two moments, which are None where none is."""

    events: int
    first_at: datetime | None
    last_at: datetime | None


def select_loss(connection: Connection, *, only_unnoted: bool = False) -> Loss:
    """All that is missing, or what nobody has taken note of yet."""
    sql = """
        SELECT coalesce(sum(upper(run) - lower(run)), 0)::bigint AS events,
               min(first_at) AS first_at, max(last_at) AS last_at
        FROM losses CROSS JOIN LATERAL unnest(numbers) AS run
        WHERE noted_at IS NULL OR NOT %(only_unnoted)s
    """
    loss = one_row(connection, Loss, sql, {"only_unnoted": only_unnoted})
    assert loss is not None
    return loss


def note_losses(connection: Connection) -> int:
    """Mark all losses as known; returns how many rows that were."""
    sql = "UPDATE losses SET noted_at = now() WHERE noted_at IS NULL"
    return connection.execute(sql).rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLoss:
    """Missing events of a project that were acknowledged between two moments. `noted_at`: None until somebody did."""

    project: str
    events: int
    first_at: datetime
    last_at: datetime
    found_at: datetime
    noted_at: datetime | None


def select_losses(connection: Connection, *, limit: int = 1_000) -> list[FoundLoss]:
    """The newest ones, the newest first."""
    sql = """
        SELECT projects.name AS project,
               (SELECT sum(upper(run) - lower(run)) FROM unnest(numbers) AS run)::bigint AS events,
               first_at, last_at, found_at, noted_at
        FROM losses
        JOIN projects ON projects.id = losses.project_id
        ORDER BY losses.id DESC
        LIMIT %(limit)s
    """
    return all_rows(connection, FoundLoss, sql, {"limit": limit})
