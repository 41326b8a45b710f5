"""/dashboard/prompts/<id>/intervals.csv and compared-latencies.csv: the pictures of a comparison in numbers."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from werkzeug.wrappers import Response

from app.core.analytics.latency_shares import latency_shares
from app.core.analytics.version_choice import compare_chosen
from app.core.analytics.version_comparison import Comparison, history
from app.core.errors import NothingToCompare
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.charts.series_csv import latencies_csv
from app.web.pages.layout.csv_download import csv_response
from app.web.pages.prompts.addresses import read_address, versions_looked_up
from app.web.pages.prompts.comparisons import end_of
from app.web.reading import ask_snapshot
from app.web.request_context import visitor

ENDS = ("estimate", "low", "high")

blueprint = page_blueprint("comparison_csv")


@blueprint.get("/dashboard/prompts/<uuid:prompt_id>/intervals.csv")
@signed_in()
def intervals(prompt_id: UUID) -> Response:
    """How the intervals shrank; 404 for a prompt or a version that is not there.

    Shares of the baseline (0.08 is 8 % more), but for the score, which is the difference itself.
    """
    found = _compared(prompt_id)

    def rows() -> Iterator[list[object]]:
        for point in history(found) if found else ():
            for name, finding in point.findings.items():
                yield [point.time, name, *(end_of(finding, end) for end in ENDS), finding.verdict]

    return csv_response(f"intervals-{prompt_id}.csv", ["time", "measure", *ENDS, "verdict"], rows())


@blueprint.get("/dashboard/prompts/<uuid:prompt_id>/compared-latencies.csv")
@signed_in()
def latencies(prompt_id: UUID) -> Response:
    """Those of both versions, with the same errors."""
    found = _compared(prompt_id)
    shares = latency_shares(found.evidence) if found else None
    file_name = f"latencies-{prompt_id}.csv"
    if shares is None:
        return latencies_csv(file_name, [], baseline=[], candidate=[])
    return latencies_csv(file_name, shares.edges_ms, baseline=shares.baseline, candidate=shares.candidate)


def _compared(prompt_id: UUID) -> Comparison | None:
    """The versions of the address; None where there is nothing to compare."""
    choice = read_address().choice._asdict()
    with suppress(NothingToCompare), versions_looked_up():
        return ask_snapshot(compare_chosen, visitor().project_id, prompt_id, **choice, now=datetime.now(UTC))
    return None
