"""What became of the news that went to a webhook, as a CSV."""

from collections.abc import Callable

from werkzeug.wrappers import Response

from app.core.news.message import message_name
from app.core.queries.deliveries import DeliveryRow, select_deliveries
from app.core.queries.webhooks import Webhook
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.paging import all_chunks
from app.web.pages.news.words import told
from app.web.services import asker

CHUNK_DELIVERIES = 1_000
CSV_COLUMNS: dict[str, Callable[[DeliveryRow], object]] = {
    "id": lambda row: message_name(row.message_id),
    "type": lambda row: row.kind,
    "text": lambda row: told(row.kind, row.payload),
    "state": lambda row: row.state,
    "attempts": lambda row: row.attempts,
    "created_at": lambda row: row.created_at,
    "attempted_at": lambda row: row.attempted_at,
    "status": lambda row: row.status,
    "answer": lambda row: row.answer,
}


def deliveries_csv(webhook: Webhook) -> Response:
    """All that are kept, however many, read while they are sent."""
    ask = asker(select_deliveries)

    def older(row: DeliveryRow | None) -> list[DeliveryRow]:
        return ask(webhook.webhook_id, before=None if row is None else row.delivery_id, limit=CHUNK_DELIVERIES)

    # the first chunk now: where it fails, that is still an answer of its own
    rows = all_chunks(older(None), older, chunk_size=CHUNK_DELIVERIES)
    return csv_table(f"deliveries-{webhook.webhook_id}.csv", CSV_COLUMNS, rows)
