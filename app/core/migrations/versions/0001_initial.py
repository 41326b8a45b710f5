"""Projects, users, API keys, events, rollups and dead letters."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything; the first partitions are made by `migrate` and then kept ahead by the worker."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
