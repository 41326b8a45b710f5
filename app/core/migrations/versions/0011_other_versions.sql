-- The prompt and the versions under which everything is counted that is too new to be registered.
ALTER TABLE prompts ADD COLUMN is_other boolean NOT NULL DEFAULT false;
ALTER TABLE prompt_versions ADD COLUMN is_other boolean NOT NULL DEFAULT false;
UPDATE prompts SET is_other = true WHERE prompt_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
UPDATE prompt_versions SET is_other = true WHERE version_hash = '(other)';

-- The newest of a prompt, and how many are new. Partial, so that no look-up of a hash can use it: its keys begin with the
-- prompt, too, and by old statistics it looks as good as the unique index, but would read all versions of the prompt.
DROP INDEX prompt_versions_registered;
CREATE INDEX prompt_versions_registered ON prompt_versions (prompt_key, created_at) WHERE NOT is_other;
CREATE INDEX prompts_registered ON prompts (project_id, created_at) WHERE NOT is_other;

-- Which prompt had more new versions on a UTC day than it may have; prompt_key 0: which project more new prompts. `allowed` is the
-- limit that was reached.
CREATE TABLE overflows (
    project_id  integer NOT NULL,
    prompt_key  bigint NOT NULL,
    day         date NOT NULL,
    allowed     integer NOT NULL,
    began_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day, project_id, prompt_key)
);
