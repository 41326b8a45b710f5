-- False in most series for ever, so an update writes to the index only where it changes this. Of a boolean the planner knows how
-- rare it is, of a multirange it does not.
ALTER TABLE series ADD COLUMN has_untraced boolean NOT NULL
    GENERATED ALWAYS AS (acknowledged - stored - repeated - set_aside <> '{}') STORED;
CREATE INDEX series_untraced ON series (series) WHERE has_untraced;

-- The newest versions of a prompt, and all that are new in a project.
CREATE INDEX prompt_versions_registered ON prompt_versions (prompt_key, created_at);
CREATE INDEX prompt_versions_time ON prompt_versions (created_at);
