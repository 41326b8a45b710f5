"""What a batch adds to the rollups is appended, and folded into them later."""

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Changes nothing that is stored: workers of the release before go on writing rollups themselves."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
