"""Webhooks: where a project's news goes, and what became of it."""
