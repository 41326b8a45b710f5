"""Members of projects, sessions, sign-in links; names of prompts; what the pages show of keys and dead letters."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add new tables and columns that may be empty, so that no table is rewritten and no reader waits for long."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
