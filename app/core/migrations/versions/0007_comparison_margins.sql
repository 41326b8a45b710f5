-- Shares (0.05 is 5 %), but for the score. As in rollups, prompt_key 0 is the whole project: so there is no reference to prompts.
CREATE TABLE comparison_margins (
    project_id      integer NOT NULL REFERENCES projects (id),
    prompt_key      bigint NOT NULL,
    cost_usd        double precision NOT NULL CHECK (cost_usd > 0),
    latency_ms      double precision NOT NULL CHECK (latency_ms > 0),
    latency_p95_ms  double precision NOT NULL CHECK (latency_p95_ms > 0),
    score           double precision NOT NULL CHECK (score > 0),
    PRIMARY KEY (project_id, prompt_key)
);
