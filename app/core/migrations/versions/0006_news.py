"""News that goes to webhooks: what happened, to whom it goes, what became of it; budgets, and silence."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """New tables, and a column of projects with a constant default, for which no row is rewritten."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
