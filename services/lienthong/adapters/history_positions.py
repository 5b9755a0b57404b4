"""Keeps how far a consumer has read in the transaction that stores what it read, so that nothing counts twice.

Two processes may read one partition for a while: one that was taken for dead, and its successor. Each writes only from
where the stored position stands, and holds its row until it has committed.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Table, select, update

from lienthong.adapters.databases import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a batch covers of a partition: from `position` up to before `next`, gaps in the offsets included."""

    stream: str
    partition: int
    position: int
    next: int


class PositionBehind(Exception):
    """What was to be stored begins after the stored position: what lies between would be missing.

    So it is after a database was restored from an older copy; reading goes on from `stored`.
    """

    def __init__(self, stretch: Stretch, stored: int) -> None:
        self.stored = stored
        super().__init__(f"{stretch.stream}/{stretch.partition} stands at {stored}, not at {stretch.position}")


def stored_positions(database: Database, table: Table, stream: str) -> dict[int, int]:
    """Return the next offset to read of each partition that has one. Raises DatabaseAway."""
    with database.reading() as connection:
        rows = connection.execute(select(table.c.partition, table.c.position).where(table.c.stream == stream))
        return {row.partition: row.position for row in rows}


def hold(database: Database, connection: Connection, table: Table, stretch: Stretch) -> int | None:
    """Keep others from this partition until the transaction ends; return from which offset on the stretch is new.

    None says that all of it was stored before. Raises PositionBehind.
    """
    first = database.insert(table).values(stream=stretch.stream, partition=stretch.partition, position=0)
    # Writing the row as it is locks it, and creates it where nothing was read yet.
    held = first.on_conflict_do_update(index_elements=["stream", "partition"], set_={"position": table.c.position})
    stored: int = connection.execute(held.returning(table.c.position)).scalar_one()
    if stored >= stretch.next:
        return None
    if stored < stretch.position:
        raise PositionBehind(stretch, stored)
    return stored


def move(connection: Connection, table: Table, stretch: Stretch) -> None:
    """Note that the stretch is stored."""
    row = (table.c.stream == stretch.stream) & (table.c.partition == stretch.partition)
    connection.execute(update(table).where(row).values(position=stretch.next))
