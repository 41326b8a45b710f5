"""The news of a project, and what makes it: budgets, and how long silence may last."""
