"""A bucket of S3-compatible storage, by pyarrow, which finds credentials as all of AWS's tools do."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from app.core.errors import PlaceUnusable
from app.core.transfer.extra import pyarrow_module

CHUNK_BYTES = 8_000_000


def open_bucket(bucket_and_prefix: str, *, endpoint_url: str | None) -> "Bucket":
    """`endpoint_url` where it is not AWS's own storage. Asks nobody yet. Raises PlaceUnusable."""
    bucket, _, prefix = bucket_and_prefix.partition("/")
    if not bucket:
        raise PlaceUnusable("an address in S3-compatible storage is s3://bucket or s3://bucket/folder")
    fs = pyarrow_module("pyarrow.fs")
    with _told(bucket):
        # In the background it would hold as much in memory as the network is behind the disk.
        files = fs.S3FileSystem(background_writes=False, endpoint_override=endpoint_url)
    return Bucket(files, "/".join(filter(None, [bucket, prefix.strip("/")])))


class Bucket:
    """A bucket, or what lies below a prefix. Files go through TMPDIR, which must have room for one of them."""

    def __init__(self, files: Any, path: str) -> None:
        self._files = files
        self._path = path

    def size_of(self, name: str) -> int | None:
        """As of Place."""
        with _told(self._key(name)):
            size: int | None = self._files.get_file_info(self._key(name)).size
        return size

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """As of Place. Nothing is there before the last part of the upload is: a kill leaves parts without a name."""
        with _told(self._key(name)), tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / name
            yield local
            self._upload(local, self._key(name))

    def _upload(self, local: Path, key: str) -> None:
        stream = self._files.open_output_stream(key)
        try:
            with local.open("rb") as file:
                shutil.copyfileobj(file, stream, CHUNK_BYTES)
            stream.close()
        except BaseException:
            # Closing completes an upload, and it would be closed when it is forgotten.
            with suppress(OSError):
                stream.close()
            with suppress(OSError):
                self._files.delete_file(key)
            raise

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """As of Place."""
        with _told(self._key(name)), tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / name
            with self._files.open_input_stream(self._key(name)) as stream, local.open("wb") as file:
                shutil.copyfileobj(stream, file, CHUNK_BYTES)
            yield local

    def remove(self, name: str) -> None:
        """As of Place."""
        with _told(self._key(name)), suppress(FileNotFoundError):
            self._files.delete_file(self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._path}/{name}"


@contextmanager
def _told(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PlaceUnusable(f"s3://{key}: {error}") from error
