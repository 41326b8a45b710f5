"""Where the files of an export lie: a folder, or a bucket of S3-compatible storage.

A file is there whole, or not at all.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from app.core.errors import PlaceUnusable

S3_SCHEME = "s3://"


class Place(Protocol):
    """Files by their names. All raise PlaceUnusable."""

    def size_of(self, name: str) -> int | None:
        """In bytes; None where there is no such file."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A path to write to; the file takes the place of an older one when the block ends without an error."""

    def reading(self, name: str) -> AbstractContextManager[Path]:
        """A path to read from during the block."""

    def remove(self, name: str) -> None:
        """Whether or not it is there."""


def open_place(address: str, *, s3_endpoint_url: str | None = None) -> Place:
    """`address`: a path, or s3://bucket/prefix. Raises PlaceUnusable."""
    if not address.startswith(S3_SCHEME):
        return Folder(Path(address))
    # Here, because it brings in pyarrow.
    from app.core.transfer.s3 import open_bucket  # noqa: PLC0415

    return open_bucket(address.removeprefix(S3_SCHEME), endpoint_url=s3_endpoint_url)


class Folder:
    """A folder of this machine, which is made with the first file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def size_of(self, name: str) -> int | None:
        """As of Place."""
        with _told(self._path / name):
            try:
                return (self._path / name).stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                return None

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """As of Place. After a kill a hidden file is left, which the next one to write this file takes over."""
        final, partial = self._path / name, self._path / f".{name}.partial"
        with _told(partial):
            self._path.mkdir(parents=True, exist_ok=True)
            with partial.open("ab") as file:
                _lock(file.fileno(), final)
                try:
                    yield partial
                    os.fsync(file.fileno())
                    partial.replace(final)
                except BaseException:
                    partial.unlink(missing_ok=True)
                    raise
            _sync_folder(self._path)

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """As of Place."""
        with _told(self._path / name):
            yield self._path / name

    def remove(self, name: str) -> None:
        """As of Place."""
        with _told(self._path / name):
            (self._path / name).unlink(missing_ok=True)


def _lock(descriptor: int, final: Path) -> None:
    """Until the file is closed, also by the death of this process."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PlaceUnusable(f"{final} is being written by another export") from None


def _sync_folder(path: Path) -> None:
    """So that the file has its name also after a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PlaceUnusable(f"{path}: {error.strerror or error}") from error
