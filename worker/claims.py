"""Claims on entries of the buffer are kept while their batch takes long, so that no other worker does it again."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from app.core.errors import Unavailable
from app.core.stream.buffer import EventBuffer

RENEW_SECONDS = 4.0
KEPT_SECONDS = 120.0
"""A batch that takes longer is one whose connection may be dead without saying so: another worker may try."""


@contextmanager
def claims_kept(
    buffer: EventBuffer, consumer: str, entry_ids: Sequence[str], *, renew_seconds: float = RENEW_SECONDS
) -> Iterator[None]:
    """Renew the claims in a thread, from the first `renew_seconds` of the block on until it ends."""
    ended = threading.Event()
    until = time.monotonic() + KEPT_SECONDS

    def renew() -> None:
        while not ended.wait(renew_seconds) and time.monotonic() < until:
            with suppress(Unavailable):
                buffer.renew(consumer, entry_ids)

    renewing = threading.Thread(target=renew, name="claims", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
