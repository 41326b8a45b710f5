"""A recount of all rollups from the raw events, by PostgreSQL itself."""

import math
from collections.abc import Iterable
from typing import Any

from app.core.database import Connection
from app.core.rollups.latency_histogram import decode_histogram
from tests.histograms import histogram_of

RECOUNT = """
WITH grains (grain) AS (VALUES ('minute'), ('hour'), ('day')),
levels (level) AS (VALUES ('version'), ('prompt'), ('project'))
SELECT events.project_id,
       CASE WHEN level = 'project' THEN 0 ELSE prompt_versions.prompt_key END AS prompt_key,
       CASE WHEN level = 'version' THEN version_key ELSE 0 END AS version_key,
       grain,
       date_trunc(grain, occurred_at, 'UTC') AS bucket_start,
       count(*) AS events,
       count(latency_ms), coalesce(sum(latency_ms), 0), coalesce(sum(latency_ms * latency_ms), 0),
       min(latency_ms), max(latency_ms),
       count(cost_usd), coalesce(sum(cost_usd), 0), coalesce(sum(cost_usd * cost_usd), 0), min(cost_usd), max(cost_usd),
       count(score), coalesce(sum(score), 0), coalesce(sum(score * score), 0), min(score), max(score),
       array_remove(array_agg(latency_ms), NULL)
FROM events
JOIN prompt_versions ON prompt_versions.id = events.version_key
CROSS JOIN grains CROSS JOIN levels
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
"""

# What is folded and what is not yet, which belongs to every level and grain.
STORED = """
WITH parts AS (
    SELECT project_id, prompt_key, version_key, grain, bucket_start, events,
           latency_count, latency_sum, latency_sum_squares, latency_min, latency_max,
           cost_count, cost_sum, cost_sum_squares, cost_min, cost_max,
           score_count, score_sum, score_sum_squares, score_min, score_max,
           latency_histogram, latency_log_sum, latency_log_sum_squares
    FROM rollups
    UNION ALL
    SELECT project_id, CASE WHEN level = 'project' THEN 0 ELSE prompt_key END,
           CASE WHEN level = 'version' THEN version_key ELSE 0 END, grain, date_trunc(grain, bucket_start, 'UTC'),
           events,
           latency_count, latency_sum, latency_sum_squares, latency_min, latency_max,
           cost_count, cost_sum, cost_sum_squares, cost_min, cost_max,
           score_count, score_sum, score_sum_squares, score_min, score_max,
           latency_histogram, latency_log_sum, latency_log_sum_squares
    FROM rollup_additions
    CROSS JOIN (VALUES ('minute'), ('hour'), ('day')) AS grains (grain)
    CROSS JOIN (VALUES ('version'), ('prompt'), ('project')) AS levels (level)
)
SELECT project_id, prompt_key, version_key, grain, bucket_start, sum(events),
       sum(latency_count), sum(latency_sum), sum(latency_sum_squares), min(latency_min), max(latency_max),
       sum(cost_count), sum(cost_sum), sum(cost_sum_squares), min(cost_min), max(cost_max),
       sum(score_count), sum(score_sum), sum(score_sum_squares), min(score_min), max(score_max),
       string_agg(latency_histogram, ''), sum(latency_log_sum), sum(latency_log_sum_squares)
FROM parts
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
"""


def assert_rollups_equal_a_recount(connection: Connection) -> int:
    """Compare every rollup row, with what is not folded yet, with the raw events; returns how many events there are."""
    stored = connection.execute(STORED).fetchall()
    recounted = connection.execute(RECOUNT).fetchall()
    assert [row[:21] for row in stored] == [row[:21] for row in recounted]
    for row, recount in zip(stored, recounted, strict=True):
        assert_latencies_equal(row[21:], recount[21] or [])
    count = connection.execute("SELECT count(*) FROM events").fetchone()
    assert count is not None
    return int(count[0])


def assert_latencies_equal(stored: tuple[Any, ...], latencies_ms: Iterable[Any]) -> None:
    latencies = [float(latency_ms) for latency_ms in latencies_ms]
    logarithms = [math.log(max(latency_ms, 0.001)) for latency_ms in latencies]
    histogram, log_sum, log_sum_squares = stored
    assert decode_histogram(histogram) == decode_histogram(histogram_of(latencies))
    assert math.isclose(log_sum, math.fsum(logarithms), rel_tol=1e-9, abs_tol=1e-6)
    assert math.isclose(log_sum_squares, math.fsum(x * x for x in logarithms), rel_tol=1e-9, abs_tol=1e-6)
