"""Counts look-ups by minute, facility and printed unit, with the position they were read to."""

import sqlalchemy as sa
from alembic import op

from lienthong.adapters.history_tables import TEXT

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _table("positions", ["stream"], ["partition"], "position")
    _table("outbox_marks", ["cell", "epoch"], ["partition"], "sequence")
    _table("lookups_by_minute", ["minute", "channel", "outcome"], [], "lookups")
    _table("lookups_by_facility", ["day", "code", "channel", "outcome"], [], "lookups")
    _table("lookups_by_unit", ["day", "level", "code", "valid_from", "channel", "outcome"], [], "lookups")


def _table(name: str, texts: list[str], numbers: list[str], value: str) -> None:
    """Make a table of one number for each key."""
    op.create_table(
        name,
        *(sa.Column(key, sa.Integer, primary_key=True, autoincrement=False) for key in numbers),
        *(sa.Column(key, TEXT, primary_key=True) for key in texts),
        sa.Column(value, sa.BigInteger, nullable=False),
    )
