"""Writing and reading the file of a day in each format."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from app.core.queries.exported_events import ExportedEvent
from app.core.transfer.manifest import Format
from app.core.transfer.parquet_files import parquet_writer, read_parquet
from app.core.transfer.rows import ReadRow
from app.core.transfer.text_files import csv_writer, ndjson_writer, read_csv, read_ndjson

Writer = Callable[[Path], AbstractContextManager[Callable[[Sequence[ExportedEvent]], None]]]
Reader = Callable[[Path], Iterator[list[ReadRow]]]

WRITERS: dict[Format, Writer] = {"parquet": parquet_writer, "csv": csv_writer, "ndjson": ndjson_writer}
READERS: dict[Format, Reader] = {"parquet": read_parquet, "csv": read_csv, "ndjson": read_ndjson}
