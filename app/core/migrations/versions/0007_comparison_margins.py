"""Margins: how much worse a version may be without it mattering, of a project and of single prompts."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """A new table that nothing else needs."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
