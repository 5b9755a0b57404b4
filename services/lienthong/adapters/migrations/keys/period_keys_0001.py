"""Keeps the keys of periods, wrapped."""

import sqlalchemy as sa
from alembic import op

from lienthong.adapters.keys_postgres import SCHEMA

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the one table."""
    op.create_table(
        "period_keys",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("begins_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("destroy_at", sa.BigInteger, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("purpose", "begins_at"),
        schema=SCHEMA,
    )
