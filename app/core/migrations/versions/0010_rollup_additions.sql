-- What batches have added since the last fold, by version and minute: only appended to, and deleted by the fold that writes it into
-- rollups in the same transaction. So rollups and additions together are all events at every moment, and none twice. No
-- index and no key: a row costs the write-ahead log little more than itself, and no two workers meet in it.
-- added_at says when the fold is due.
CREATE TABLE rollup_additions (
    project_id               integer NOT NULL,
    prompt_key               bigint NOT NULL,
    version_key              bigint NOT NULL,
    bucket_start             timestamptz NOT NULL,
    events                   bigint NOT NULL,
    latency_count            bigint NOT NULL,
    latency_sum              numeric NOT NULL,
    latency_sum_squares      numeric NOT NULL,
    latency_min              numeric,
    latency_max              numeric,
    latency_log_sum          double precision NOT NULL,
    latency_log_sum_squares  double precision NOT NULL,
    latency_histogram        bytea NOT NULL,
    cost_count               bigint NOT NULL,
    cost_sum                 numeric NOT NULL,
    cost_sum_squares         numeric NOT NULL,
    cost_min                 numeric,
    cost_max                 numeric,
    score_count              bigint NOT NULL,
    score_sum                numeric NOT NULL,
    score_sum_squares        numeric NOT NULL,
    score_min                numeric,
    score_max                numeric,
    added_at                 timestamptz NOT NULL DEFAULT now()
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
