"""Prompts and versions that come with imported events, registered as of the time of these events."""

from collections.abc import Mapping
from datetime import datetime

from app.core.contract import OTHER_PROMPT, OTHER_VERSION
from app.core.database import Connection
from app.core.queries.dimensions import Version


def insert_versions_as_of(connection: Connection, registered_at: Mapping[Version, datetime]) -> None:
    """Make versions known with their prompts, in the order of these times; what is known already stays as it is.

    Must run inside a transaction. As of today they would count as new today, and keep others from being registered.
    """
    versions = list(registered_at)
    parameters = {
        "project_ids": [version.project_id for version in versions],
        "prompt_ids": [version.prompt_id for version in versions],
        "version_hashes": [version.version_hash for version in versions],
        "times": [registered_at[version] for version in versions],
        "other_prompt": OTHER_PROMPT,
        "other": OTHER_VERSION,
    }
    connection.execute(INSERT_PROMPTS, parameters)
    connection.execute(INSERT_VERSIONS, parameters)


INSERT_PROMPTS = """
INSERT INTO prompts (project_id, prompt_id, name, is_other, created_at)
SELECT project_id, prompt_id, CASE WHEN prompt_id = %(other_prompt)s THEN %(other)s END, prompt_id = %(other_prompt)s,
       min(registered_at)
FROM unnest(%(project_ids)s::integer[], %(prompt_ids)s::uuid[], %(times)s::timestamptz[])
     AS wanted (project_id, prompt_id, registered_at)
GROUP BY project_id, prompt_id
ORDER BY min(registered_at), project_id, prompt_id
ON CONFLICT DO NOTHING
"""
INSERT_VERSIONS = """
INSERT INTO prompt_versions (prompt_key, version_hash, is_other, created_at)
SELECT prompts.id, wanted.version_hash COLLATE "C", wanted.version_hash = %(other)s, wanted.registered_at
FROM unnest(%(project_ids)s::integer[], %(prompt_ids)s::uuid[], %(version_hashes)s::text[], %(times)s::timestamptz[])
     AS wanted (project_id, prompt_id, version_hash, registered_at)
CROSS JOIN LATERAL (
    SELECT id
    FROM prompts
    WHERE prompts.project_id = wanted.project_id AND prompts.prompt_id = wanted.prompt_id
    LIMIT 1
) AS prompts
ORDER BY wanted.registered_at, prompts.id, wanted.version_hash COLLATE "C"
ON CONFLICT DO NOTHING
"""
