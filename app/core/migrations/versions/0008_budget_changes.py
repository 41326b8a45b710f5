"""When a budget was set: it says nothing of months that ended before."""

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """A new column of a small table that only looks and one page read."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
