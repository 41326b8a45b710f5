"""The ledger: which numbers of events were acknowledged, which were seen by a worker, and which are lost.

app.core.stream.numbering says what the numbers are, app.core.queries.ledger what becomes of these rows.
"""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create four empty tables."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
