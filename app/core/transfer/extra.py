"""pyarrow, which most installations do without: it comes in where a file or a place needs it."""

import importlib
from typing import Any

from app.core.errors import TransferRefused


def pyarrow_module(name: str) -> Any:
    """Raises TransferRefused where it is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise TransferRefused(
            "Parquet files and s3:// need pyarrow (CSV and NDJSON in a folder do not): "
            "pip install -r requirements-export.txt"
        ) from None
