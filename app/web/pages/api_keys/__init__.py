"""/dashboard/api-keys."""
