-- Address and secrets are encrypted (app.core.news.sealing): a Slack address is a secret, too.
CREATE TABLE webhooks (
    id                      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id              integer NOT NULL REFERENCES projects (id),
    name                    text NOT NULL CHECK (name <> ''),
    host                    text NOT NULL,
    sealed_address          bytea NOT NULL,
    sealed_secret           bytea NOT NULL,
    sealed_previous_secret  bytea,
    previous_secret_until   timestamptz,
    kinds                   text[] NOT NULL CHECK (cardinality(kinds) > 0),
    is_enabled              boolean NOT NULL DEFAULT true,
    created_at              timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhooks_project ON webhooks (project_id);

-- The outbox. The unique key says what one piece of news is: whoever finds it again writes nothing.
CREATE TABLE news (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id  uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    project_id  integer NOT NULL REFERENCES projects (id),
    kind        text COLLATE "C" NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    period      text COLLATE "C" NOT NULL,
    payload     jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, kind, subject, period)
);
CREATE INDEX news_project ON news (project_id, id);
CREATE INDEX news_time ON news (created_at);

-- leased_until: until then one worker alone is at it, whom `lease` names.
CREATE TABLE deliveries (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    news_id          bigint NOT NULL REFERENCES news (id) ON DELETE CASCADE,
    webhook_id       integer NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    state            text COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'given_up')),
    attempts         integer NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz NOT NULL DEFAULT now(),
    give_up_at       timestamptz NOT NULL,
    lease            uuid,
    leased_until     timestamptz,
    attempted_at     timestamptz,
    status           integer,
    answer           text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    ended_at         timestamptz,
    UNIQUE (news_id, webhook_id)
);
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_webhook ON deliveries (webhook_id, id);
CREATE INDEX deliveries_time ON deliveries (created_at);

-- prompt_key 0 is the whole project, as in rollups.
CREATE TABLE budgets (
    project_id     integer NOT NULL REFERENCES projects (id),
    prompt_key     bigint NOT NULL,
    usd_per_month  numeric NOT NULL CHECK (usd_per_month > 0),
    PRIMARY KEY (project_id, prompt_key)
);

-- NULL: silence is no news.
ALTER TABLE projects ADD COLUMN silence_minutes integer DEFAULT 60 CHECK (silence_minutes BETWEEN 5 AND 1440);
