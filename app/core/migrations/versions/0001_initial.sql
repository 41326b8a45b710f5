CREATE TABLE projects (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE CHECK (name <> ''),
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email          text NOT NULL,
    password_hash  text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_email ON users (lower(email));

CREATE TABLE api_keys (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  integer NOT NULL REFERENCES projects (id),
    name        text NOT NULL CHECK (name <> ''),
    key_hash    bytea NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),
    prefix      text NOT NULL,
    scopes      text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['ingest', 'read']),
    rate_limit  text CHECK (rate_limit <> ''),
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    revoked_at  timestamptz
);
CREATE INDEX api_keys_project ON api_keys (project_id);

-- Events and rollups carry the small numbers of these tables, not the uuid and the hash: a third of the size.
CREATE TABLE prompts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  integer NOT NULL REFERENCES projects (id),
    prompt_id   uuid NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, prompt_id)
);

CREATE TABLE prompt_versions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    prompt_key    bigint NOT NULL REFERENCES prompts (id),
    version_hash  text COLLATE "C" NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (prompt_key, version_hash)
);

-- No foreign keys here: the drain resolves the numbers itself, and a look-up per row would halve its speed.
CREATE TABLE events (
    project_id   integer NOT NULL,
    day          date NOT NULL,
    event_id     uuid NOT NULL,
    version_key  bigint NOT NULL,
    occurred_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    latency_ms   numeric,
    cost_usd     numeric,
    score        numeric,
    PRIMARY KEY (project_id, day, event_id)
) PARTITION BY RANGE (day);

-- prompt_key 0 is the whole project, version_key 0 the whole prompt (identities start at 1).
-- fillfactor leaves room for in-page updates; toast_tuple_target keeps a sketch in its row, uncompressed.
CREATE TABLE rollups (
    project_id               integer NOT NULL,
    prompt_key               bigint NOT NULL,
    version_key              bigint NOT NULL,
    grain                    text COLLATE "C" NOT NULL,
    bucket_start             timestamptz NOT NULL,
    events                   bigint NOT NULL,
    latency_count            bigint NOT NULL,
    latency_sum              numeric NOT NULL,
    latency_sum_squares      numeric NOT NULL,
    latency_min              numeric,
    latency_max              numeric,
    latency_log_sum          double precision NOT NULL,
    latency_log_sum_squares  double precision NOT NULL,
    latency_sketch           bytea NOT NULL,
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
    PRIMARY KEY (project_id, prompt_key, version_key, grain, bucket_start)
) PARTITION BY LIST (grain);

CREATE TABLE rollups_minute PARTITION OF rollups FOR VALUES IN ('minute')
    WITH (fillfactor = 70, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE rollups_hour PARTITION OF rollups FOR VALUES IN ('hour')
    WITH (fillfactor = 70, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE rollups_day PARTITION OF rollups FOR VALUES IN ('day')
    WITH (fillfactor = 70, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX rollups_prompts ON rollups (project_id, grain, bucket_start) WHERE version_key = 0;
CREATE INDEX rollups_minute_age ON rollups_minute (bucket_start);

CREATE TABLE dead_letters (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_id     text NOT NULL,
    payload      bytea NOT NULL,
    reason       text NOT NULL,
    received_at  timestamptz NOT NULL,
    failed_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX dead_letters_entry ON dead_letters (entry_id, md5(payload));
