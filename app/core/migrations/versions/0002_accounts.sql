-- All users so far were made on the command line: they are operators, and see every project as they could before.
ALTER TABLE users
    ADD COLUMN is_operator boolean NOT NULL DEFAULT false,
    ADD COLUMN password_changed_at timestamptz,
    ALTER COLUMN password_hash DROP NOT NULL;
UPDATE users SET is_operator = true;

CREATE TABLE memberships (
    project_id  integer NOT NULL REFERENCES projects (id),
    user_id     integer NOT NULL REFERENCES users (id),
    role        text NOT NULL CHECK (role IN ('admin', 'member')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);
INSERT INTO memberships (project_id, user_id, role)
SELECT projects.id, users.id, 'admin' FROM projects CROSS JOIN users;

CREATE TABLE sign_in_links (
    token_hash  bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id     integer NOT NULL REFERENCES users (id),
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz
);
CREATE INDEX sign_in_links_user ON sign_in_links (user_id);

CREATE TABLE sessions (
    token_hash    bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id       integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

ALTER TABLE api_keys
    ADD COLUMN created_by integer REFERENCES users (id),
    ADD COLUMN rotated_from integer REFERENCES api_keys (id);

ALTER TABLE prompts ADD COLUMN name text CHECK (name <> '');
ALTER TABLE prompt_versions ADD COLUMN name text CHECK (name <> '');

-- NULL: the entry could not be decoded, or was set aside before this column was there.
ALTER TABLE dead_letters ADD COLUMN project_id integer;
