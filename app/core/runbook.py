"""Where docs/runbook.md says what a message means, what to do, and what is lost."""

from app.core.errors import (
    BufferDamaged,
    ClocksDisagree,
    DatabaseTooSlow,
    DatabaseUnavailable,
    PartitionBlocked,
    PromptAnalyticsError,
    RedisFull,
    RedisUnavailable,
    RowsLocked,
    StatementRefused,
)

# The first class that an error belongs to counts.
_ENTRIES: tuple[tuple[type[PromptAnalyticsError], str], ...] = (
    (ClocksDisagree, "clocks"),
    (PartitionBlocked, "partitions_detached"),
    (RowsLocked, "locked_rows"),
    (DatabaseTooSlow, "postgresql_slow"),
    (StatementRefused, "migrations"),
    (DatabaseUnavailable, "postgresql"),
    (BufferDamaged, "buffer_not_a_stream"),
    (RedisFull, "redis_memory"),
    (RedisUnavailable, "redis"),
    (PromptAnalyticsError, "worker_not_draining"),
)


def runbook_entry(name: str) -> str:
    return f"docs/runbook.md#{name}"


def entry_for(error: PromptAnalyticsError) -> str:
    """The entry of what kept a worker from its work."""
    return runbook_entry(next(name for kind, name in _ENTRIES if isinstance(error, kind)))
