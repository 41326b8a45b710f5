"""When a budget was set, since it says nothing of months that ended before; and measures that no decision waits for."""

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Two small tables, which no event waits for."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
