"""When prompts and versions had events, where rollups are spread over nodes: statements that take the place of others.

Elsewhere one look into an index tells the first or last row of each; Citus takes no LIMIT for each of many prompts. So
the rows of a coarser grain bound how many finer ones are read.
"""

PROMPTS_LAST_SEEN = """
WITH day AS MATERIALIZED (
    SELECT prompt_key, max(bucket_start) AS start_at
    FROM rollups
    WHERE project_id = %(project_id)s AND prompt_key = ANY (%(keys)s::bigint[]) AND version_key = 0 AND grain = 'day'
    GROUP BY prompt_key
),
hour AS MATERIALIZED (
    SELECT day.prompt_key, max(rollups.bucket_start) AS start_at
    FROM day JOIN rollups ON rollups.prompt_key = day.prompt_key AND rollups.bucket_start >= day.start_at
    WHERE rollups.project_id = %(project_id)s AND rollups.version_key = 0 AND rollups.grain = 'hour'
    GROUP BY day.prompt_key
),
minute AS MATERIALIZED (
    SELECT hour.prompt_key, max(rollups.bucket_start) AS start_at
    FROM hour JOIN rollups ON rollups.prompt_key = hour.prompt_key AND rollups.bucket_start >= hour.start_at
    WHERE rollups.project_id = %(project_id)s AND rollups.version_key = 0 AND rollups.grain = 'minute'
    GROUP BY hour.prompt_key
),
unfolded AS MATERIALIZED (
    SELECT prompt_key, max(bucket_start) AS start_at
    FROM rollup_additions
    WHERE project_id = %(project_id)s AND prompt_key = ANY (%(keys)s::bigint[])
    GROUP BY prompt_key
)
SELECT prompt.key AS prompt_key, greatest(hour.start_at, minute.start_at, unfolded.start_at) AS last_seen
FROM unnest(%(keys)s::bigint[]) AS prompt (key)
LEFT JOIN hour ON hour.prompt_key = prompt.key
LEFT JOIN minute ON minute.prompt_key = prompt.key
LEFT JOIN unfolded ON unfolded.prompt_key = prompt.key
WHERE hour.start_at IS NOT NULL OR unfolded.start_at IS NOT NULL
"""

VERSIONS_THAT_BEGAN = """
WITH version AS MATERIALIZED (
    SELECT prompts.prompt_id, prompts.name AS prompt_name, registered.id, registered.prompt_key,
           registered.version_hash, registered.name
    FROM prompts
    JOIN prompt_versions AS registered ON registered.prompt_key = prompts.id
    WHERE prompts.project_id = %(project_id)s
      AND registered.created_at >= %(start)s::timestamptz - interval '1 hour' AND NOT registered.is_other
    ORDER BY registered.created_at DESC, registered.id DESC
    LIMIT %(most)s
),
hour AS MATERIALIZED (
    SELECT version.id, min(rollups.bucket_start) AS start_at
    FROM version JOIN rollups ON rollups.prompt_key = version.prompt_key AND rollups.version_key = version.id
    WHERE rollups.project_id = %(project_id)s AND rollups.grain = 'hour'
    GROUP BY version.id
),
minute AS MATERIALIZED (
    SELECT version.id, min(rollups.bucket_start) AS start_at
    FROM version JOIN rollups ON rollups.prompt_key = version.prompt_key AND rollups.version_key = version.id
    WHERE rollups.project_id = %(project_id)s AND rollups.grain = 'minute'
    GROUP BY version.id
),
unfolded AS MATERIALIZED (
    SELECT version_key AS id, min(bucket_start) AS start_at
    FROM rollup_additions
    WHERE project_id = %(project_id)s
    GROUP BY version_key
),
began AS (
    SELECT version.*, least(hour.start_at, date_trunc('hour', unfolded.start_at, 'UTC')) AS first_hour,
           least(minute.start_at, unfolded.start_at) AS first_minute
    FROM version
    LEFT JOIN hour ON hour.id = version.id
    LEFT JOIN minute ON minute.id = version.id
    LEFT JOIN unfolded ON unfolded.id = version.id
)
SELECT prompt_id, prompt_name, version_hash, name,
       CASE WHEN first_minute < first_hour + interval '1 hour' THEN first_minute ELSE first_hour END AS first_seen
FROM began
WHERE first_hour > %(start)s::timestamptz - interval '1 hour' AND first_hour < %(end)s
ORDER BY first_hour DESC, id DESC
LIMIT %(limit)s
"""
