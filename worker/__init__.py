"""The worker: moves buffered events in batches into PostgreSQL and keeps its tables in order."""
