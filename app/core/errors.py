"""The one exception tree; each branch says what its catcher must do.

Rejected: refuse the request, nothing was stored.
Unavailable: a server did not answer; the same call may succeed later.
SetAside: this piece of data can never succeed; keep it where a person sees it.
"""


class PromptAnalyticsError(Exception):
    """Base of every error that this package raises on purpose."""


class Rejected(PromptAnalyticsError):
    """Refuse: the caller must change something, and nothing was stored."""


class InvalidApiKey(Rejected):
    """The API key is missing, malformed, unknown, revoked or expired.

    `ended`: its id and that of its project where it worked once and that is known, for its owner alone: who sent it is
    told no more than of any other.
    """

    def __init__(self, ended: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.ended = ended


class IdempotencyKeyReused(Rejected):
    """The Idempotency-Key was used before with another body."""


class BufferFull(Rejected):
    """The event buffer is above its watermark; the event was surely not stored."""


class RedisFull(Rejected):
    """Redis is out of memory; nothing was written."""


class NotFound(Rejected):
    """What was asked for does not exist in this project."""


class VersionNotFound(NotFound):
    """The prompt has no version with this hash, or none with events yet.

    The argument is `baseline`, `candidate` or `version`.
    """


class NothingToCompare(NotFound):
    """The prompt has no other version that a version could be compared with."""


class AlreadyExists(Rejected):
    """A thing with this name exists already."""


class LastAdmin(Rejected):
    """A project keeps at least one admin."""


class LinkNotValid(Rejected):
    """The sign-in link was used, is too old, or never was."""


class ProofNeeded(Rejected):
    """The link chooses no password: whoever uses it must prove to hold the sign-in that there is."""


class NotConfirmed(Rejected):
    """No operator has vouched for it that whoever holds the sign-in is whom its email names."""


class UserDisabled(Rejected):
    """An operator has disabled the user."""


class PasswordChanged(Rejected):
    """The password that was checked is no longer that of the user, or the user was disabled meanwhile."""


class BadExport(Rejected):
    """The files of an export are not what its manifest says, or that is none; nothing of such a file was stored."""


class PlaceUnusable(Rejected):
    """Where files are to be written or read cannot be used as asked; what is there under its own name is whole."""


class TransferRefused(Rejected):
    """An export or import would not be exact as asked; the message says what to do instead."""


class Unavailable(PromptAnalyticsError):
    """A server did not answer; the outcome is unknown, a retry may succeed."""


class RedisUnavailable(Unavailable):
    """Redis did not answer."""


class RedisNotTrusted(RedisUnavailable):
    """Redis shows a certificate that is not trusted here, so nothing was sent to it; a setting must change."""


class ConsumerGroupMissing(RedisUnavailable):
    """Redis has no consumer group for the buffer: it is new, or it lost its data."""


class BufferDamaged(RedisUnavailable):
    """Something else is in the place of the stream of events."""


class DatabaseUnavailable(Unavailable):
    """PostgreSQL did not answer."""


class DatabaseTooSlow(DatabaseUnavailable):
    """PostgreSQL did not finish in the time that a statement has; less at a time may succeed."""


class RowsLocked(DatabaseUnavailable):
    """Somebody else holds what this needs for longer than is waited; other data may succeed."""


class StatementRefused(DatabaseUnavailable):
    """PostgreSQL refuses the statement, not the data: its tables or rights are not what this release works with."""


class RefusedWithoutReason(DatabaseUnavailable):
    """PostgreSQL refuses the statement as an internal error; so does a node of Citus that refuses a row of a COPY."""


class PartitionMissing(DatabaseUnavailable):
    """The partition of a day is not there (any more); the next attempt makes it."""


class PartitionBlocked(DatabaseUnavailable):
    """The partition of a day cannot be made before a person has done something; other days may succeed."""


class PoolerInTheWay(DatabaseUnavailable):
    """What needs a session of its own met a pooler in transaction mode; it was not begun."""


class ClocksDisagree(PromptAnalyticsError):
    """The clocks of two machines are too far apart for what depends on the time; nothing was done."""


class SetAside(PromptAnalyticsError):
    """This data can never be stored as it is; its batch must go on without it."""


class SealBroken(SetAside):
    """What was stored encrypted was sealed with another SECRET_KEY, or was changed; it must be entered anew."""


class UndecodableEntry(SetAside):
    """A buffer entry is not an encoded event."""


class RejectedByDatabase(SetAside):
    """PostgreSQL refuses the data itself (not a lost connection, not a lock)."""
