"""Totals by project, prompt and version over minutes, hours and days, as plain values; nothing here asks a server."""
