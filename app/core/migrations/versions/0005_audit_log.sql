-- Who was invited and has chosen no password yet was a member so far. Nothing tells which project's admin has the link of
-- such a user, and it need not be one that invites them still: so these links end here. Links of all others only an
-- operator can have made. What web of the release before makes meanwhile is neither an operator's nor a project's, and
-- opens nothing. Who runs the service has vouched for operators, and for nobody else.
ALTER TABLE users
    ADD COLUMN confirmed_at timestamptz,
    ADD COLUMN disabled_at timestamptz;
UPDATE users SET confirmed_at = now() WHERE is_operator;

CREATE TABLE invitations (
    project_id  integer NOT NULL REFERENCES projects (id),
    user_id     integer NOT NULL REFERENCES users (id),
    role        text NOT NULL CHECK (role IN ('admin', 'member')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX invitations_user ON invitations (user_id);
WITH waiting AS (
    DELETE FROM memberships USING users
    WHERE users.id = memberships.user_id AND users.password_hash IS NULL
    RETURNING memberships.project_id, memberships.user_id, memberships.role, memberships.created_at
)
INSERT INTO invitations (project_id, user_id, role, created_at)
SELECT project_id, user_id, role, created_at FROM waiting;

ALTER TABLE sign_in_links
    ADD COLUMN project_id integer REFERENCES projects (id),
    ADD COLUMN by_operator boolean NOT NULL DEFAULT false,
    ADD CHECK (NOT (by_operator AND project_id IS NOT NULL));
DELETE FROM sign_in_links USING users
WHERE users.id = sign_in_links.user_id AND users.password_hash IS NULL AND sign_in_links.used_at IS NULL;
UPDATE sign_in_links SET by_operator = true WHERE used_at IS NULL;

-- The log outlives what it tells of: so no references. `items`: how many things one entry is about.
CREATE TABLE audit_log (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    occurred_at  timestamptz NOT NULL DEFAULT now(),
    action       text NOT NULL,
    actor        text,
    actor_id     integer,
    user_id      integer,
    subject      text,
    project_id   integer,
    address      text,
    items        integer NOT NULL DEFAULT 1
);
CREATE INDEX audit_log_project ON audit_log (project_id, id);
CREATE INDEX audit_log_user ON audit_log (user_id, id) WHERE project_id IS NULL;
CREATE INDEX audit_log_time ON audit_log (occurred_at);

CREATE INDEX dead_letters_project ON dead_letters (project_id, id);
CREATE INDEX api_keys_successor ON api_keys (rotated_from, id DESC) WHERE rotated_from IS NOT NULL;
