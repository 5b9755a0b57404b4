"""The tables of the history as the code uses them; the migrations make them, and a test compares the two."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

metadata = MetaData()

# Days and codes are compared and sorted as bytes everywhere, never by the language of a server.
TEXT = String().with_variant(String(collation="C"), "postgresql")


class Moment(TypeDecorator[datetime]):
    """A moment with its offset, in UTC; a file keeps none, so it gets and gives one that is meant."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what is stored."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Return the moment that was stored."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if dialect.name == "sqlite" else moment.astimezone(UTC)


#: How far the counts have read, and how far the archive has: each moves with what it stores.
positions, archive_positions = (
    Table(
        name,
        metadata,
        Column("stream", TEXT, primary_key=True),
        Column("partition", Integer, primary_key=True),
        Column("position", BigInteger, nullable=False),
    )
    for name in ("positions", "archive_positions")
)

outbox_marks = Table(
    "outbox_marks",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("cell", TEXT, primary_key=True),
    Column("epoch", TEXT, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    # The latest day of a decision under this mark, `YYYY-MM-DD`.
    Column("seen_on", TEXT, nullable=False, server_default=""),
)

lookups_by_minute = Table(
    "lookups_by_minute",
    metadata,
    Column("minute", TEXT, primary_key=True),
    Column("channel", TEXT, primary_key=True),
    Column("outcome", TEXT, primary_key=True),
    Column("lookups", BigInteger, nullable=False),
)

lookups_by_facility = Table(
    "lookups_by_facility",
    metadata,
    Column("day", TEXT, primary_key=True),
    Column("code", TEXT, primary_key=True),
    Column("channel", TEXT, primary_key=True),
    Column("outcome", TEXT, primary_key=True),
    Column("lookups", BigInteger, nullable=False),
)

lookups_by_unit = Table(
    "lookups_by_unit",
    metadata,
    Column("day", TEXT, primary_key=True),
    Column("level", TEXT, primary_key=True),
    Column("code", TEXT, primary_key=True),
    Column("valid_from", TEXT, primary_key=True),
    Column("channel", TEXT, primary_key=True),
    Column("outcome", TEXT, primary_key=True),
    Column("lookups", BigInteger, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", TEXT, primary_key=True),
    # The day of Vietnam on which it was decided. A partitioned table's key has to contain what it is partitioned by.
    Column("day", Date, primary_key=True),
    Column("decided_at", Moment, nullable=False),
    Column("service_on", Date, nullable=False),
    Column("facility_code", TEXT, nullable=False),
    Column("channel", TEXT, nullable=False),
    Column("outcome", TEXT, nullable=False),
    Column("portal_code", TEXT),
    Column("pseudonym", TEXT, nullable=False),
    Column("notices", JSON, nullable=False),
    Column("address_level", TEXT),
    Column("address_code", TEXT),
    Column("address_version", TEXT),
    Column("place_code", TEXT),
    Column("register_position", BigInteger, nullable=False),
    Column("card_revision", BigInteger),
    Column("software", TEXT, nullable=False),
    Column("key_id", TEXT, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    # The event as it came, without the base64 of `sealed`, which stood at `sealed_at`; whole where that is null.
    Column("event", LargeBinary, nullable=False),
    Column("sealed_at", Integer),
    Index("decisions_by_day", "day"),
    Index("decisions_by_address", "address_level", "address_code", "day"),
    Index("decisions_by_place", "place_code", "day"),
    postgresql_partition_by="RANGE (day)",
)
