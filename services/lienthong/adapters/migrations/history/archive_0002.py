"""Archives decisions, a day a partition on a server, and notes on which day an outbox was last heard of."""

import sqlalchemy as sa
from alembic import op

from lienthong.adapters.history_tables import TEXT, Moment

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the archive and date the marks."""
    op.add_column("outbox_marks", sa.Column("seen_on", TEXT, nullable=False, server_default=""))
    # Marks from before are taken as seen on the last day that was counted, which is on or after the true one.
    op.execute("UPDATE outbox_marks SET seen_on = COALESCE((SELECT max(day) FROM lookups_by_facility), '')")
    op.create_table(
        "archive_positions",
        sa.Column("stream", TEXT, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
    )
    _decisions()
    op.create_index("decisions_by_day", "decisions", ["day"])
    op.create_index("decisions_by_address", "decisions", ["address_level", "address_code", "day"])
    op.create_index("decisions_by_place", "decisions", ["place_code", "day"])


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("decision_id", TEXT, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("decided_at", Moment, nullable=False),
        sa.Column("service_on", sa.Date, nullable=False),
        sa.Column("facility_code", TEXT, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("portal_code", TEXT),
        sa.Column("pseudonym", TEXT, nullable=False),
        sa.Column("notices", sa.JSON, nullable=False),
        sa.Column("address_level", TEXT),
        sa.Column("address_code", TEXT),
        sa.Column("address_version", TEXT),
        sa.Column("place_code", TEXT),
        sa.Column("register_position", sa.BigInteger, nullable=False),
        sa.Column("card_revision", sa.BigInteger),
        sa.Column("software", TEXT, nullable=False),
        sa.Column("key_id", TEXT, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("event", sa.LargeBinary, nullable=False),
        sa.Column("sealed_at", sa.Integer),
        postgresql_partition_by="RANGE (day)",
    )
