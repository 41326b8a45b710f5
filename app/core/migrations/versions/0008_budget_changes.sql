-- When the amount was set last. Of those that are there already nobody knows: they go on as before.
ALTER TABLE budgets ADD COLUMN changed_at timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE budgets ALTER COLUMN changed_at SET DEFAULT now();
