"""The versions of a prompt as a table, on its page and as CSV."""

from collections.abc import Callable
from uuid import UUID

from werkzeug.wrappers import Response

from app.core.analytics.prompt_versions import VersionSummary, read_versions
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.tables import in_order
from app.web.pages.prompts.addresses import read_address, versions_looked_up
from app.web.reading import ask_snapshot
from app.web.request_context import visitor

CSV_COLUMNS: dict[str, Callable[[VersionSummary], object]] = {
    "version_hash": lambda version: version.version_hash,
    "version_name": lambda version: version.name,
    "events": lambda version: version.usage.events,
    "share": lambda version: round(version.share, 6),
    "first_seen": lambda version: version.first_seen,
    "last_seen": lambda version: version.last_seen,
    "cost_per_event_usd": lambda version: version.usage.cost_usd.mean,
    "p50_latency_ms": lambda version: version.usage.latency_ms.p50,
    "p95_latency_ms": lambda version: version.usage.latency_ms.p95,
    "p99_latency_ms": lambda version: version.usage.latency_ms.p99,
    "mean_score": lambda version: version.usage.score.mean,
}

blueprint = page_blueprint("version_table")


@blueprint.get("/dashboard/prompts/<uuid:prompt_id>/versions.csv")
@signed_in()
def versions_csv(prompt_id: UUID) -> Response:
    """All rows of the table of the same address, in its order; 404 for a prompt or a version that is not there."""
    address = read_address()
    with versions_looked_up():
        found = ask_snapshot(
            read_versions, visitor().project_id, prompt_id, address.shown.time_range, address.shown_versions
        )
    return csv_table(f"versions-{prompt_id}.csv", CSV_COLUMNS, in_order(found.rows, address.table))
