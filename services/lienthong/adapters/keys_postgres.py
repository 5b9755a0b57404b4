"""Keeps keys in a schema of PostgreSQL, where all machines of an installation find them.

A destroyed key leaves the table and the table's file: PostgreSQL only marks a row as dead, and a plain VACUUM leaves
bytes of it between the others, so the table is written anew. It is small: some hundred keys.

What remains of a destroyed key elsewhere: the write-ahead log until its segments are used again, archived segments,
copies and backups of the server, and blocks that the file system has not reused. All of it is wrapped by the master
key, which never enters the database; that key is what protects it, so keep it away from the server and its backups.
A key that a failover loses is lost with everything that it sealed: where there are copies, let them be synchronous.
"""

import contextlib
from collections.abc import Iterator, Sequence

from sqlalchemy import Column, Connection, LargeBinary, MetaData, Select, Table, Text, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import BigInteger

from lienthong.adapters.database_faults import DatabaseAway, DatabaseRefused
from lienthong.adapters.databases import Database, reason_of, server_database
from lienthong.adapters.key_records import KeyRecord, KeysAway, KeyStoreRefused
from lienthong.adapters.migrating import Lineage, bring_up_to_date

SCHEMA = "lienthong_keys"
LINEAGE = Lineage(folder="keys", newest="0001", schema=SCHEMA)
#: A use of a key that is in memory asks nothing here, so few are needed.
_CONNECTIONS_MAX = 2
#: How long writing the table anew may wait for who reads it, a backup say: who asks for a key waits behind it.
_WRITE_ANEW_WAIT = "500ms"

_keys = Table(
    "period_keys",
    MetaData(),
    Column("key_id", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("begins_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("destroy_at", BigInteger, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    schema=SCHEMA,
)
_FIELDS = KeyRecord.__slots__


class PostgresKeyRecords:
    """The schema `lienthong_keys` of one server."""

    name = "the key store"

    def __init__(self, url: str) -> None:
        """Connect, and make the table where there is none. Raises KeysAway, and KeyStoreRefused for a bad address."""
        try:
            self._database: Database = server_database(url, self.name, connections=_CONNECTIONS_MAX)
        except DatabaseRefused as fault:
            raise KeyStoreRefused(str(fault)) from None
        # A process may have ended between a destruction and what follows it.
        self._unclean = True
        try:
            with self._speaking():
                bring_up_to_date(self._database, LINEAGE)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def newest(self) -> KeyRecord | None:
        """Return a key of the latest period that has one."""
        return self._one(select(_keys).order_by(_keys.c.ends_at.desc()).limit(1))

    def find(self, key_id: str) -> KeyRecord | None:
        """Return the key of that name."""
        return self._one(select(_keys).where(_keys.c.key_id == key_id))

    def of_period(self, purpose: str, begins_at: int) -> KeyRecord | None:
        """Return the key of a purpose's period."""
        return self._one(select(_keys).where(_keys.c.purpose == purpose, _keys.c.begins_at == begins_at))

    def add(self, record: KeyRecord) -> None:
        """Keep a new key; where its period has one, of another process, keep that one instead."""
        row = {field: getattr(record, field) for field in _FIELDS}
        with self._writing() as connection:
            connection.execute(
                insert(_keys).values(row).on_conflict_do_nothing(index_elements=["purpose", "begins_at"])
            )

    def destroy(self, until: int) -> Sequence[str]:
        """Destroy the keys whose `destroy_at` has come, and return their names.

        1. Delete them. 2. Write the table anew without them; where that is not possible now, the next call does it.
        """
        # 1
        with self._writing() as connection:
            rows = connection.execute(delete(_keys).where(_keys.c.destroy_at <= until).returning(_keys.c.key_id))
            gone = list(rows.scalars())
        self._unclean |= bool(gone)
        # 2
        if self._unclean:
            with self._speaking(), self._database.engine.connect() as connection:
                _write_anew(connection.execution_options(isolation_level="AUTOCOMMIT"))
            self._unclean = False
        return gone

    def _one(self, query: Select[tuple[object, ...]]) -> KeyRecord | None:
        with self._speaking(), self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else KeyRecord(**row._mapping)  # noqa: SLF001 -- its public name for this

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._speaking(), self._database.writing() as connection:
            yield connection

    @contextlib.contextmanager
    def _speaking(self) -> Iterator[None]:
        """Speak of every fault of the database as of the keys: a table that is gone may be put back as well."""
        try:
            yield
        except DatabaseAway as fault:
            raise KeysAway(self.name, fault.reason) from fault
        except SQLAlchemyError as fault:
            raise KeysAway(self.name, reason_of(fault)) from fault


def _write_anew(connection: Connection) -> None:
    connection.execute(text(f"SET lock_timeout = '{_WRITE_ANEW_WAIT}'"))
    try:
        connection.execute(text(f"VACUUM (FULL) {SCHEMA}.{_keys.name}"))
    finally:
        connection.execute(text("RESET lock_timeout"))
