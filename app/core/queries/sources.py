"""Where statements read rollups from: what is folded, and beside it what batches have added since the last fold.

At every moment rollups and additions together are all events, and none twice: so whatever reads rollups reads both, in
one statement. Additions are rows of versions and minutes, without an index. A statement reads them once, whatever the
number of its parts, and sums them by minute before they meet the rest: mostly they are of the last one.
"""

from typing import LiteralString

# Citus cannot ship unnest with several arrays to its nodes.
_PARTS = """(
        SELECT unnest(%(grains)s::text[]) AS grain, unnest(%(starts)s::timestamptz[]) AS start_at,
               unnest(%(ends)s::timestamptz[]) AS end_at
    ) AS part"""
_WITHIN_PART = "grain = part.grain AND bucket_start >= part.start_at AND bucket_start < part.end_at"
_RANGES = f"(SELECT range_agg(tstzrange(part.start_at, part.end_at)) FROM {_PARTS})"

_MEASURES = """bucket_start, events, cost_count, cost_sum, cost_sum_squares,
           latency_count, latency_sum, latency_min, latency_max,
           latency_log_sum, latency_log_sum_squares, latency_histogram,
           score_count, score_sum, score_sum_squares, score_min, score_max"""

# A histogram that is not whole entries stays so: whoever merges it with others sees it.
_SUMMED = """sum(events)::bigint AS events,
           sum(cost_count)::bigint AS cost_count, sum(cost_sum) AS cost_sum, sum(cost_sum_squares) AS cost_sum_squares,
           sum(latency_count)::bigint AS latency_count, sum(latency_sum) AS latency_sum,
           min(latency_min) AS latency_min, max(latency_max) AS latency_max,
           sum(latency_log_sum) AS latency_log_sum, sum(latency_log_sum_squares) AS latency_log_sum_squares,
           CASE WHEN bool_and(mod(octet_length(latency_histogram), 4) = 0)
                THEN string_agg(latency_histogram, ''::bytea) ELSE '\\x00'::bytea END AS latency_histogram,
           sum(score_count)::bigint AS score_count, sum(score_sum) AS score_sum,
           sum(score_sum_squares) AS score_sum_squares, min(score_min) AS score_min, max(score_max) AS score_max"""


def _unfolded(whose: LiteralString, key: LiteralString, bucket_start: LiteralString = "bucket_start") -> LiteralString:
    """_MEASURES of the additions in the parts, by key and bucket. Sums that nobody reads are not made."""
    # Additions mostly lie in the parts. Of coalesce the planner thinks so too, of <@ that hardly any do: and then it
    # sorts them where it would better hash them.
    return f"""SELECT {key}, {bucket_start} AS bucket_start, {_SUMMED}
    FROM rollup_additions
    WHERE project_id = %(project_id)s AND {whose} AND coalesce({bucket_start} <@ {_RANGES}, false)
    GROUP BY {key}, {bucket_start}"""


_OF_ONE = "(%(prompt_key)s = 0 OR prompt_key = %(prompt_key)s)"
_OF_PROMPTS = "(%(only)s::bigint[] IS NULL OR prompt_key = ANY (%(only)s::bigint[]))"
_OF_VERSIONS = "prompt_key = %(prompt_key)s AND (%(only)s::bigint[] IS NULL OR version_key = ANY (%(only)s::bigint[]))"

MOST_PARTS = 20
_IN_PARTS = " OR ".join(
    f"(grain = (%(grains)s::text[])[{number}] AND bucket_start >= (%(starts)s::timestamptz[])[{number}]"
    f" AND bucket_start < (%(ends)s::timestamptz[])[{number}])"
    for number in range(1, MOST_PARTS + 1)
)
"""For what lies in many shards, of which Citus takes no OFFSET. Beyond the last part all is NULL, and falls away."""

# OFFSET 0 keeps the planner from a hash join with all rollups: each part is one range of an index, ten times as fast.
_STORED_OF_ONE = f"""SELECT stored.*
    FROM {_PARTS}
    CROSS JOIN LATERAL (
        SELECT project_id, {_MEASURES}
        FROM rollups
        WHERE project_id = %(project_id)s AND prompt_key = %(prompt_key)s AND version_key = 0 AND {_WITHIN_PART}
        OFFSET 0
    ) AS stored"""
_STORED_OF_PROMPTS = f"""SELECT prompt_key, {_MEASURES}
    FROM rollups
    WHERE project_id = %(project_id)s AND prompt_key > 0 AND version_key = 0 AND {_OF_PROMPTS} AND ({_IN_PARTS})"""
_STORED_OF_VERSIONS = f"""SELECT stored.*
    FROM {_PARTS}
    CROSS JOIN (
        SELECT id
        FROM prompt_versions
        WHERE prompt_key = %(prompt_key)s AND (%(only)s::bigint[] IS NULL OR id = ANY (%(only)s::bigint[]))
    ) AS version
    CROSS JOIN LATERAL (
        SELECT version_key, {_MEASURES}
        FROM rollups
        WHERE project_id = %(project_id)s AND prompt_key = %(prompt_key)s AND version_key = version.id
          AND {_WITHIN_PART}
        OFFSET 0
    ) AS stored"""
# All of a prompt's in one go through the index: to look each of 100,000 versions up, part by part, takes seconds.
_STORED_OF_ALL_VERSIONS = f"""SELECT stored.*
    FROM {_PARTS}
    CROSS JOIN LATERAL (
        SELECT version_key, {_MEASURES}
        FROM rollups
        WHERE project_id = %(project_id)s AND prompt_key = %(prompt_key)s AND version_key > 0 AND {_WITHIN_PART}
        OFFSET 0
    ) AS stored"""


def _both(stored: LiteralString, whose: LiteralString, key: LiteralString) -> LiteralString:
    return f"""(
    {stored}
    UNION ALL
    {_unfolded(whose, key)}
) AS rollup"""


ROLLUPS_OF_ONE = _both(_STORED_OF_ONE, _OF_ONE, "project_id")
ROLLUPS_OF_PROMPTS = _both(_STORED_OF_PROMPTS, _OF_PROMPTS, "prompt_key")
ROLLUPS_OF_VERSIONS = _both(_STORED_OF_VERSIONS, _OF_VERSIONS, "version_key")
ROLLUPS_OF_ALL_VERSIONS = _both(_STORED_OF_ALL_VERSIONS, "prompt_key = %(prompt_key)s", "version_key")

# Rollups of one grain and part whose every row counts by itself: additions join the row of their bucket.
_IN_BUCKET = "date_trunc(%(grain)s, bucket_start, 'UTC')"
_BUCKET_SUMS = """bucket_start,
           coalesce(stored.events, 0) + coalesce(unfolded.events, 0) AS events,
           coalesce(stored.cost_count, 0) + coalesce(unfolded.cost_count, 0) AS cost_count,
           coalesce(stored.cost_sum, 0) + coalesce(unfolded.cost_sum, 0) AS cost_sum,
           coalesce(stored.cost_sum_squares, 0) + coalesce(unfolded.cost_sum_squares, 0) AS cost_sum_squares,
           coalesce(stored.latency_count, 0) + coalesce(unfolded.latency_count, 0) AS latency_count,
           coalesce(stored.latency_log_sum, 0) + coalesce(unfolded.latency_log_sum, 0) AS latency_log_sum,
           coalesce(stored.latency_log_sum_squares, 0) + coalesce(unfolded.latency_log_sum_squares, 0)
               AS latency_log_sum_squares,
           CASE WHEN mod(octet_length(stored.latency_histogram), 4) > 0 THEN stored.latency_histogram
                ELSE coalesce(stored.latency_histogram, '') || coalesce(unfolded.latency_histogram, '')
           END AS latency_histogram,
           coalesce(stored.score_count, 0) + coalesce(unfolded.score_count, 0) AS score_count,
           coalesce(stored.score_sum, 0) + coalesce(unfolded.score_sum, 0) AS score_sum,
           coalesce(stored.score_sum_squares, 0) + coalesce(unfolded.score_sum_squares, 0) AS score_sum_squares"""


def _buckets(stored: LiteralString, whose: LiteralString, key: LiteralString) -> LiteralString:
    return f"""(
    SELECT {key}, {_BUCKET_SUMS}
    FROM ({stored}) AS stored
    FULL JOIN ({_unfolded(whose, key, _IN_BUCKET)}) AS unfolded USING ({key}, bucket_start)
) AS rollup"""


BUCKETS_OF_PROMPTS = _buckets(_STORED_OF_PROMPTS, _OF_PROMPTS, "prompt_key")
BUCKETS_OF_VERSIONS = _buckets(_STORED_OF_VERSIONS, _OF_VERSIONS, "version_key")
