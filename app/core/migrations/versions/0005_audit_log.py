"""Invitations apart from memberships; users who are confirmed or disabled; the audit log; indexes of long lists."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """New tables, columns that may be empty, and indexes of tables that are small: dead letters are a few."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
