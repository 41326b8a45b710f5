-- When the amount was set last. Of those that are there already nobody knows: they go on as before.
ALTER TABLE budgets ADD COLUMN changed_at timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE budgets ALTER COLUMN changed_at SET DEFAULT now();

-- NULL: the measure is not part of the decision.
ALTER TABLE comparison_margins ALTER COLUMN cost_usd DROP NOT NULL;
ALTER TABLE comparison_margins ALTER COLUMN latency_ms DROP NOT NULL;
ALTER TABLE comparison_margins ALTER COLUMN latency_p95_ms DROP NOT NULL;
ALTER TABLE comparison_margins ALTER COLUMN score DROP NOT NULL;
