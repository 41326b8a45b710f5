"""When versions had their first and their last events, folded or not: fragments for statements about `version`.

Minutes are more exact than hours, but only the last days have them.
"""

from typing import LiteralString

OF_ONE_PROMPT = "prompt_key = %(prompt_key)s"
"""The rollups of versions of one prompt, which Citus then looks for in one shard alone."""
OF_MANY_PROMPTS = "prompt_key = version.prompt_key"
_OF_VERSION = "project_id = %(project_id)s AND version_key = version.id"


def joined_first_hour(additions: LiteralString, prompt: LiteralString) -> LiteralString:
    """Joins to `version` what is not folded of it, among the additions that are chosen, and its first hour that is.

    `prompt`: OF_ONE_PROMPT or OF_MANY_PROMPTS, here and below.
    """
    return f"""LEFT JOIN (
        SELECT version_key, min(bucket_start) AS first_minute, max(bucket_start) AS last_minute
        FROM rollup_additions
        WHERE {additions}
        GROUP BY version_key
    ) AS unfolded ON unfolded.version_key = version.id
    LEFT JOIN LATERAL (
        SELECT bucket_start
        FROM rollups
        WHERE {_OF_VERSION} AND {prompt} AND grain = 'hour'
        ORDER BY bucket_start
        LIMIT 1
    ) AS first_hour ON true"""


FIRST_HOUR = "least(first_hour.bucket_start, date_trunc('hour', unfolded.first_minute, 'UTC'))"
"""Null for a version without events."""


def joined_first_minute(prompt: LiteralString) -> LiteralString:
    return f"""LEFT JOIN LATERAL (
        SELECT bucket_start
        FROM rollups
        WHERE {_OF_VERSION} AND {prompt} AND grain = 'minute'
          AND bucket_start >= first_hour.bucket_start AND bucket_start < first_hour.bucket_start + interval '1 hour'
        ORDER BY bucket_start
        LIMIT 1
    ) AS first_minute ON true"""


# Here and below least and greatest ignore nulls.
FIRST_SEEN = """CASE WHEN unfolded.first_minute >= first_hour.bucket_start + interval '1 hour'
                THEN coalesce(first_minute.bucket_start, first_hour.bucket_start)
                ELSE coalesce(least(first_minute.bucket_start, unfolded.first_minute), first_hour.bucket_start) END"""


def joined_last_minute(prompt: LiteralString) -> LiteralString:
    return f"""LEFT JOIN LATERAL (
        SELECT bucket_start
        FROM rollups
        WHERE {_OF_VERSION} AND {prompt} AND grain = 'hour'
        ORDER BY bucket_start DESC
        LIMIT 1
    ) AS last_hour ON true
    LEFT JOIN LATERAL (
        SELECT bucket_start
        FROM rollups
        WHERE {_OF_VERSION} AND {prompt} AND grain = 'minute' AND bucket_start >= last_hour.bucket_start
        ORDER BY bucket_start DESC
        LIMIT 1
    ) AS last_minute ON true"""


LAST_SEEN = """CASE WHEN unfolded.last_minute < last_hour.bucket_start
                THEN coalesce(last_minute.bucket_start, last_hour.bucket_start)
                ELSE coalesce(greatest(last_minute.bucket_start, unfolded.last_minute), last_hour.bucket_start) END"""
