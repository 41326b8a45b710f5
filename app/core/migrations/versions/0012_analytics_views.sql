-- A stable interface: docs/grafana-and-sql.md has its columns and its promise. A later migration that changes a column of the
-- tables drops the view first and makes it again.
--
-- The schema may be there: somebody made it for a user who may make none in this database.
DO $$
BEGIN
    IF to_regnamespace('analytics') IS NULL THEN
        IF NOT has_database_privilege(current_database(), 'CREATE') THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format(
                'this user may not make the schema analytics; have an administrator of the database run '
                'CREATE SCHEMA analytics AUTHORIZATION %I and migrate again', current_user);
        END IF;
        CREATE SCHEMA analytics;
    END IF;
END
$$;

-- p50, p95 and p99 of a latency histogram, as app.core.analytics.percentiles finds them; how it is encoded says
-- app.core.rollups.latency_histogram. NULL for one that is damaged. Written with its query parsed once (BEGIN ATOMIC), so that no
-- search_path of a reader has a say in it.
CREATE FUNCTION analytics.latency_percentiles(histogram bytea, shortest numeric, longest numeric)
RETURNS double precision[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    WITH entries AS (
        SELECT (get_byte(histogram, place + 3) << 4) + (get_byte(histogram, place + 2) >> 4) - 2048 AS bucket,
               (get_byte(histogram, place + 2) & 8) > 0 AS is_run,
               ((get_byte(histogram, place + 2) & 7) << 16) + (get_byte(histogram, place + 1) << 8)
               + get_byte(histogram, place) AS counts
        FROM generate_series(0, octet_length(histogram) - 4, 4) AS place
    ),
    counted AS (
        SELECT bucket, CASE WHEN is_run THEN (counts & 63) ELSE counts END AS events FROM entries
        UNION ALL
        SELECT bucket + 1, (counts >> 6) & 63 FROM entries WHERE is_run
        UNION ALL
        SELECT bucket + 2, (counts >> 12) & 63 FROM entries WHERE is_run
    ),
    running AS (
        SELECT bucket, sum(sum(events)) OVER (ORDER BY bucket) AS up_to, sum(sum(events)) OVER () AS all_of_them
        FROM counted
        GROUP BY bucket
    ),
    found AS (
        SELECT percentile, min(bucket) AS bucket
        FROM running CROSS JOIN (VALUES (50), (95), (99)) AS asked (percentile)
        WHERE up_to * 100 >= all_of_them * percentile
        GROUP BY percentile
    )
    SELECT array_agg(
               least(greatest(shortest::double precision, CASE bucket
                   WHEN -2048 THEN 0
                   ELSE 2 * exp(bucket * ln(1.02::double precision)) / 2.02::double precision
               END), longest::double precision)
               ORDER BY percentile)
    FROM found
    WHERE octet_length(histogram) % 4 = 0;
END;

-- Rollups and what is not folded into them yet are all events at every moment, and none twice. The names are joined below the
-- sums, so that a condition on project or prompt reaches the index of the rollups, and additions are read once.
CREATE VIEW analytics.prompts_daily AS
SELECT project, prompt_id, prompt_name, (starts_at AT TIME ZONE 'UTC')::date AS day, starts_at, events,
       cost_usd_count, CASE WHEN cost_usd_count > 0 THEN cost_usd_sum END AS cost_usd_sum,
       (cost_usd_sum / nullif(cost_usd_count, 0))::double precision AS cost_usd_mean,
       latency_ms_count, (latency_ms_sum / nullif(latency_ms_count, 0))::double precision AS latency_ms_mean,
       latency_ms_min, latency_ms_max, percentiles[1] AS latency_ms_p50, percentiles[2] AS latency_ms_p95,
       percentiles[3] AS latency_ms_p99,
       score_count, (score_sum / nullif(score_count, 0))::double precision AS score_mean, score_min, score_max
FROM (
    SELECT project, prompt_id, prompt_name, starts_at, sum(events)::bigint AS events,
           sum(cost_count)::bigint AS cost_usd_count, sum(cost_sum) AS cost_usd_sum,
           sum(latency_count)::bigint AS latency_ms_count, sum(latency_sum) AS latency_ms_sum,
           min(latency_min) AS latency_ms_min, max(latency_max) AS latency_ms_max,
           CASE WHEN bool_and(octet_length(latency_histogram) % 4 = 0) THEN string_agg(latency_histogram, ''::bytea) END
               AS latency_histogram,
           sum(score_count)::bigint AS score_count, sum(score_sum) AS score_sum,
           min(score_min) AS score_min, max(score_max) AS score_max
    FROM (
        SELECT projects.name AS project, prompts.prompt_id, prompts.name AS prompt_name,
               rollups.bucket_start AS starts_at, rollups.events, rollups.cost_count, rollups.cost_sum,
               rollups.latency_count, rollups.latency_sum, rollups.latency_min, rollups.latency_max,
               rollups.latency_histogram, rollups.score_count, rollups.score_sum, rollups.score_min, rollups.score_max
        FROM projects
        JOIN prompts ON prompts.project_id = projects.id
        JOIN rollups ON rollups.project_id = prompts.project_id AND rollups.prompt_key = prompts.id
        WHERE rollups.version_key = 0 AND rollups.grain = 'day'
        UNION ALL
        SELECT projects.name, prompts.prompt_id, prompts.name, date_trunc('day', unfolded.bucket_start, 'UTC'),
               unfolded.events, unfolded.cost_count, unfolded.cost_sum,
               unfolded.latency_count, unfolded.latency_sum, unfolded.latency_min, unfolded.latency_max,
               unfolded.latency_histogram, unfolded.score_count, unfolded.score_sum, unfolded.score_min, unfolded.score_max
        FROM projects
        JOIN prompts ON prompts.project_id = projects.id
        JOIN rollup_additions AS unfolded
          ON unfolded.project_id = prompts.project_id AND unfolded.prompt_key = prompts.id
    ) AS counted
    GROUP BY project, prompt_id, prompt_name, starts_at
) AS summed
-- in a subquery of its own, so that it is worked out once for each row, and not at all where nobody asks for it
CROSS JOIN LATERAL (
    SELECT analytics.latency_percentiles(latency_histogram, latency_ms_min, latency_ms_max) AS percentiles OFFSET 0
) AS latency;

CREATE VIEW analytics.versions_hourly AS
SELECT project, prompt_id, prompt_name, version_hash, version_name, starts_at, events,
       cost_usd_count, CASE WHEN cost_usd_count > 0 THEN cost_usd_sum END AS cost_usd_sum,
       (cost_usd_sum / nullif(cost_usd_count, 0))::double precision AS cost_usd_mean,
       latency_ms_count, (latency_ms_sum / nullif(latency_ms_count, 0))::double precision AS latency_ms_mean,
       latency_ms_min, latency_ms_max, percentiles[1] AS latency_ms_p50, percentiles[2] AS latency_ms_p95,
       percentiles[3] AS latency_ms_p99,
       score_count, (score_sum / nullif(score_count, 0))::double precision AS score_mean, score_min, score_max
FROM (
    SELECT project, prompt_id, prompt_name, version_hash, version_name, starts_at, sum(events)::bigint AS events,
           sum(cost_count)::bigint AS cost_usd_count, sum(cost_sum) AS cost_usd_sum,
           sum(latency_count)::bigint AS latency_ms_count, sum(latency_sum) AS latency_ms_sum,
           min(latency_min) AS latency_ms_min, max(latency_max) AS latency_ms_max,
           CASE WHEN bool_and(octet_length(latency_histogram) % 4 = 0) THEN string_agg(latency_histogram, ''::bytea) END
               AS latency_histogram,
           sum(score_count)::bigint AS score_count, sum(score_sum) AS score_sum,
           min(score_min) AS score_min, max(score_max) AS score_max
    FROM (
        SELECT projects.name AS project, prompts.prompt_id, prompts.name AS prompt_name, version.version_hash,
               version.name AS version_name,
               rollups.bucket_start AS starts_at, rollups.events, rollups.cost_count, rollups.cost_sum,
               rollups.latency_count, rollups.latency_sum, rollups.latency_min, rollups.latency_max,
               rollups.latency_histogram, rollups.score_count, rollups.score_sum, rollups.score_min, rollups.score_max
        FROM projects
        JOIN prompts ON prompts.project_id = projects.id
        JOIN prompt_versions AS version ON version.prompt_key = prompts.id
        JOIN rollups ON rollups.project_id = prompts.project_id AND rollups.prompt_key = version.prompt_key
                    AND rollups.version_key = version.id
        WHERE rollups.grain = 'hour'
        UNION ALL
        SELECT projects.name, prompts.prompt_id, prompts.name, version.version_hash, version.name,
               date_trunc('hour', unfolded.bucket_start, 'UTC'), unfolded.events, unfolded.cost_count, unfolded.cost_sum,
               unfolded.latency_count, unfolded.latency_sum, unfolded.latency_min, unfolded.latency_max,
               unfolded.latency_histogram, unfolded.score_count, unfolded.score_sum, unfolded.score_min, unfolded.score_max
        FROM projects
        JOIN prompts ON prompts.project_id = projects.id
        JOIN prompt_versions AS version ON version.prompt_key = prompts.id
        JOIN rollup_additions AS unfolded
          ON unfolded.project_id = prompts.project_id AND unfolded.prompt_key = version.prompt_key
         AND unfolded.version_key = version.id
    ) AS counted
    GROUP BY project, prompt_id, prompt_name, version_hash, version_name, starts_at
) AS summed
CROSS JOIN LATERAL (
    SELECT analytics.latency_percentiles(latency_histogram, latency_ms_min, latency_ms_max) AS percentiles OFFSET 0
) AS latency;

CREATE VIEW analytics.raw_events AS
SELECT projects.name AS project, prompts.prompt_id, prompts.name AS prompt_name, version.version_hash,
       version.name AS version_name, events.day, events.occurred_at, events.received_at, events.event_id,
       events.latency_ms, events.cost_usd, events.score
FROM projects
JOIN events ON events.project_id = projects.id
JOIN prompt_versions AS version ON version.id = events.version_key
JOIN prompts ON prompts.id = version.prompt_key;

-- Where this user may not make roles, as on most managed servers, somebody else does: `python -m app reader` says how. A role is of
-- the whole server: another database of it may have made it already.
DO $$
BEGIN
    IF to_regrole('pa_reader') IS NULL THEN
        CREATE ROLE pa_reader NOLOGIN;
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'the role pa_reader was not made: %', SQLERRM;
END
$$;
DO $$
BEGIN
    IF to_regrole('pa_reader') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA analytics TO pa_reader;
        GRANT SELECT ON analytics.prompts_daily, analytics.versions_hourly, analytics.raw_events TO pa_reader;
        -- which everybody may, unless default privileges were taken away
        GRANT EXECUTE ON FUNCTION analytics.latency_percentiles TO pa_reader;
    END IF;
END
$$;
