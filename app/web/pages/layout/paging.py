"""Lists that are longer than a page."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from app.core.database import MAX_BIGINT

_Item = TypeVar("_Item")


def read_id(text: str | None) -> int | None:
    """The id that an address names, from which a list goes on; None where there is none that could be one."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    number = int(text[: len(str(MAX_BIGINT)) + 1])
    return number if number <= MAX_BIGINT else None


class Place(NamedTuple):
    """Which page of a list is shown, of how many, and how many items come before it."""

    number: int
    pages: int
    offset: int


def place_of(asked: int, total: int, *, per_page: int) -> Place:
    """The page that was asked for, or the last one where there are not so many."""
    pages = max(1, -(-total // per_page))
    number = min(max(asked, 1), pages)
    return Place(number, pages, (number - 1) * per_page)


def all_chunks(
    chunk: Sequence[_Item], next_chunk: Callable[[_Item], Sequence[_Item]], *, chunk_size: int
) -> Iterator[_Item]:
    """All items of a list of which `chunk` is the beginning; `next_chunk` gives what comes after an item."""
    while chunk:
        yield from chunk
        chunk = next_chunk(chunk[-1]) if len(chunk) == chunk_size else ()
