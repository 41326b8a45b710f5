"""No module reads rollups alone: what is not folded yet would be missing from its numbers."""

import re
from pathlib import Path

from app.core import queries

READS = re.compile(r"\b(?:FROM|JOIN) rollups\b")
WRITERS = {"rollups.py", "recount.py"}
"""They add to rollups, or make them anew."""


def test_whatever_reads_rollups_reads_what_is_not_folded_yet_beside_them():
    folder = Path(queries.__file__).parent
    readers = {path.name: path.read_text() for path in folder.glob("*.py") if READS.search(path.read_text())}
    alone = {name for name, text in readers.items() if "rollup_additions" not in text}
    assert alone <= WRITERS
    assert {"sources.py", "seen.py", "looks.py"} <= readers.keys()
