"""Parquet files of events, with numbers as decimals that readers can sum up, and beside them what these cannot hold."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Context, Decimal, localcontext
from pathlib import Path
from typing import Any

from app.core.errors import BadExport
from app.core.queries.exported_events import ROWS_AT_ONCE, ExportedEvent
from app.core.transfer.extra import pyarrow_module
from app.core.transfer.rows import ReadRow

NUMBERS = ("latency_ms", "cost_usd", "score")
PRECISION, SCALE = 38, 18
"""All that decimal128 has: 20 digits before the point, where the API takes 13, and 18 behind it."""
ROWS_IN_GROUP = 100_000
"""In some 30 MB of memory; readers skip groups by the times in them."""
COMPRESSION = "zstd"
_DECIMAL128 = Context(prec=2 * PRECISION)


def schema() -> Any:
    """The columns, in their order."""
    arrow = pyarrow_module("pyarrow")
    time, number, text = arrow.timestamp("us", tz="UTC"), arrow.decimal128(PRECISION, SCALE), arrow.string()
    return arrow.schema(
        [
            arrow.field("event_id", text, nullable=False),
            arrow.field("occurred_at", time, nullable=False),
            arrow.field("received_at", time, nullable=False),
            arrow.field("prompt_id", text, nullable=False),
            arrow.field("prompt_name", text),
            arrow.field("version_hash", text, nullable=False),
            arrow.field("version_name", text),
            *(arrow.field(name, number) for name in NUMBERS),
            *(arrow.field(f"{name}_exact", text) for name in NUMBERS),
        ]
    )


@contextmanager
def parquet_writer(path: Path) -> Iterator[Callable[[Sequence[ExportedEvent]], None]]:
    """Row groups of ROWS_IN_GROUP rows, one of which is in memory."""
    arrow, parquet = pyarrow_module("pyarrow"), pyarrow_module("pyarrow.parquet")
    columns = schema()
    waiting: list[Any] = []

    def write_waiting() -> None:
        writer.write_table(arrow.Table.from_batches(waiting, columns), row_group_size=ROWS_IN_GROUP)
        waiting.clear()

    def write(rows: Sequence[ExportedEvent]) -> None:
        waiting.append(_record_batch(arrow, columns, rows))
        if sum(batch.num_rows for batch in waiting) >= ROWS_IN_GROUP:
            write_waiting()

    with parquet.ParquetWriter(path, columns, compression=COMPRESSION) as writer:
        yield write
        if waiting:
            write_waiting()


def _record_batch(arrow: Any, columns: Any, rows: Sequence[ExportedEvent]) -> Any:
    *others, latencies, costs, scores = zip(*rows, strict=True)
    measures = (latencies, costs, scores)
    with localcontext(_DECIMAL128):
        numbers = [[None if text is None else _decimal(text) for text in texts] for texts in measures]
    exact = [[text if text is not None and not _is_plain(text) else None for text in texts] for texts in measures]
    values = [*others, *numbers, *exact]
    return arrow.record_batch(
        [arrow.array(each, field.type) for each, field in zip(values, columns, strict=True)], schema=columns
    )


def _is_plain(text: str) -> bool:
    """Whether the decimal column holds it with the very digits that are stored."""
    whole, point, fraction = text.partition(".")
    is_short = len(whole.lstrip("-")) <= PRECISION - SCALE and len(fraction) <= SCALE
    return is_short and not (point and fraction.endswith("0"))


_LAST_PLACE = Decimal(1).scaleb(-SCALE)


def _decimal(text: str) -> Decimal | None:
    """Rounded where it has more digits behind the point; None where it has more before it."""
    whole, _, fraction = text.partition(".")
    if len(whole.lstrip("-")) > PRECISION - SCALE:
        return None
    return Decimal(text) if len(fraction) <= SCALE else Decimal(text).quantize(_LAST_PLACE)


def read_parquet(path: Path) -> Iterator[list[ReadRow]]:
    """ROWS_AT_ONCE of them at a time. Raises BadExport."""
    arrow, parquet = pyarrow_module("pyarrow"), pyarrow_module("pyarrow.parquet")
    try:
        with parquet.ParquetFile(path) as file:
            if not file.schema_arrow.equals(schema()):
                raise BadExport("its columns are not those of an export")
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
                yield _rows(arrow, batch)
    except arrow.ArrowException as error:
        raise BadExport(f"it is no Parquet file that can be read: {type(error).__name__}") from error


def _rows(arrow: Any, batch: Any) -> list[ReadRow]:
    def values(name: str) -> list[Any]:
        column = batch.column(name)
        found: list[Any] = (column.cast(arrow.int64()) if arrow.types.is_timestamp(column.type) else column).to_pylist()
        return found

    with localcontext(_DECIMAL128):
        numbers = [
            [_text(number, exact) for number, exact in zip(values(name), values(f"{name}_exact"), strict=True)]
            for name in NUMBERS
        ]
    others = [values(field.name) for field in batch.schema if not field.name.startswith(NUMBERS)]
    return [ReadRow(*row) for row in zip(*others, *numbers, strict=True)]


def _text(number: Decimal | None, exact: str | None) -> str | None:
    return exact if exact is not None or number is None else format(number.normalize(), "f")
