"""/dashboard/audit-log: who did what."""
