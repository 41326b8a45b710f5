"""/dashboard: a project in a range of time."""
