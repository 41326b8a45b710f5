"""Lists that are longer than a page."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from app.core.database import MAX_BIGINT

_Item = TypeVar("_Item")


def read_id(text: str | None) -> int | None:
    """The id that an address names, from which a list goes on; None where there is none that could be one."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    number = int(text[: len(str(MAX_BIGINT)) + 1])
    return number if number <= MAX_BIGINT else None


def all_chunks(
    chunk: Sequence[_Item], next_chunk: Callable[[_Item], Sequence[_Item]], *, chunk_size: int
) -> Iterator[_Item]:
    """All items of a list of which `chunk` is the beginning; `next_chunk` gives what comes after an item."""
    while chunk:
        yield from chunk
        chunk = next_chunk(chunk[-1]) if len(chunk) == chunk_size else ()
