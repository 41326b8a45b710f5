"""Where docs/runbook.md says what a message means, what to do, and what is lost."""

from app.core.errors import (
    BufferDamaged,
    ClocksDisagree,
    DatabaseTooSlow,
    DatabaseUnavailable,
    PartitionBlocked,
    PromptAnalyticsError,
    RedisFull,
    RedisNotTrusted,
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
    (RedisNotTrusted, "redis_certificate"),
    (RedisUnavailable, "redis"),
    (PromptAnalyticsError, "worker_not_draining"),
)


DOCUMENTS_PATH = "/docs"
"""Where web serves the documents of the folder docs."""


def runbook_path(name: str) -> str:
    """The path of an entry on every web process."""
    return f"{DOCUMENTS_PATH}/runbook#{name}"


def runbook_entry(name: str, public_url: str | None = None) -> str:
    """An entry for who is not on a page: its address if PUBLIC_URL tells it, else its place in the release."""
    return f"docs/runbook.md#{name}" if public_url is None else public_url + runbook_path(name)


def document_path(name: str) -> str:
    """The path of a document on every web process, by the name of its file."""
    return f"{DOCUMENTS_PATH}/{name}"


def document(name: str, public_url: str | None = None) -> str:
    """A document for who is not on a page, as `runbook_entry`."""
    return f"docs/{name}.md" if public_url is None else public_url + document_path(name)


def entry_for(error: PromptAnalyticsError, public_url: str | None = None) -> str:
    """The entry of what kept a worker or a command from its work."""
    return runbook_entry(next(name for kind, name in _ENTRIES if isinstance(error, kind)), public_url)
