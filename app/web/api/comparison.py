"""`GET /api/v1/prompts/analytics/{prompt_id}/comparison`: which of two versions of a prompt to ship."""

import math
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request

from app.core.analytics.comparison import ALPHA, MEASURES
from app.core.analytics.decision import Finding
from app.core.analytics.undecided import WhyUndecided, why_undecided
from app.core.analytics.version_choice import compare_chosen
from app.core.analytics.version_comparison import ComparedVersion
from app.core.contract import ANALYTICS_PATH
from app.core.queries.api_keys import ApiKey
from app.web.access import requires_key
from app.web.api.comparison_schemas import ComparisonQuerySchema
from app.web.api.usage_schemas import load_query, read_prompt_id
from app.web.compression import compressed
from app.web.json_response import success
from app.web.reading import ask_snapshot
from app.web.request_context import context

RELATIVE = {"cost_usd": True, "latency_ms": True, "latency_p95_ms": True, "score": False}

_QUERY = ComparisonQuerySchema()

_REASONS: dict[WhyUndecided, str] = {
    "no_common_hours": (
        "The versions have no hours in common. Nor is there enough just before and just after the newer one began: "
        "hours of the day in which the older one was used before, and the newer one after its first hour."
    ),
    "no_common_measures": (
        "No measure that is part of the decision came with events of both versions while they are compared."
    ),
    "too_few_events": "A measure has fewer than 100 values of one of the versions.",
    "too_few_days": "The versions followed one another, so they are compared by days, and one day tells nothing yet.",
    "not_clear_yet": "By the events so far, the difference may matter or not.",
}

blueprint = Blueprint("comparison", __name__)
blueprint.after_request(compressed)


@blueprint.get(f"{ANALYTICS_PATH}/<prompt_id:prompt_id>/comparison")
@requires_key("read")
def read_comparison(key: ApiKey, prompt_id: str) -> Response:
    """404 for a prompt or a version that the project never used, and where there is no second version."""
    prompt = read_prompt_id(prompt_id)
    query = load_query(_QUERY, request.args)
    found = ask_snapshot(
        compare_chosen,
        key.project_id,
        prompt,
        baseline=query.get("baseline"),
        candidate=query.get("candidate"),
        now=datetime.now(UTC),
    )
    why = why_undecided(found)
    return success(
        {
            "prompt_id": prompt,
            "kind": found.kind,
            "decision": found.decision,
            "reason": why and {"code": why, "message": _REASONS[why]},
            "events_needed": found.events_needed,
            "days_needed": found.days_needed,
            "baseline": _version(found.baseline),
            "candidate": _version(found.candidate),
            "measures": {name: _measure(found.measured.get(name), relative=RELATIVE[name]) for name in MEASURES},
            "margins": found.margins,
            "alpha": ALPHA,
        },
        as_of=context().as_of,
    )


def _version(version: ComparedVersion) -> dict[str, Any]:
    return {
        "version_hash": version.version_hash,
        "name": version.name,
        "first_seen": version.first_seen,
        "from": version.start,
        "to": version.end,
        "totals": version.usage,
    }


def _measure(finding: Finding | None, *, relative: bool) -> dict[str, Any]:
    """Ratios as shares of the baseline: 0.08 is 8 % more. None for infinite ends, and where too little is known."""
    verdict = finding.verdict if finding else "too_few"
    interval = finding.interval if finding and verdict != "too_few" else None
    ends = (interval.estimate, interval.low, interval.high) if interval else (None, None, None)
    estimate, low, high = (_share(each) if relative else _finite(each) for each in ends)
    return {"estimate": estimate, "low": low, "high": high, "relative": relative, "verdict": verdict}


def _share(logarithm: float | None) -> float | None:
    if logarithm is None or math.isinf(logarithm):
        return None
    try:
        return math.expm1(logarithm)
    except OverflowError:
        return None


def _finite(number: float | None) -> float | None:
    return None if number is None or math.isinf(number) else number
