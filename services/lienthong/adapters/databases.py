"""Opens SQL databases, a file (SQLite) or a server (PostgreSQL), and tells their passing faults from faults of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import ConnectionPoolEntry

from lienthong.adapters.database_faults import DatabaseAway, DatabaseRefused

#: How long a writer waits for another's transaction, in seconds: a batch takes milliseconds.
LOCK_WAIT_S = 10
#: Connections that one process may have open to a server; who needs one more waits for as long as for a lock.
CONNECTIONS_MAX = 8

#: What the server is told of each connection: to find one that died in seconds, and to end what would never end.
#: A setting of the address goes before these.
_SERVER_SETTINGS = {
    "application_name": "lienthong",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    # After a failover an address may still lead to a copy that takes no writes.
    "target_session_attrs": "read-write",
    # What is acknowledged is on disk, whatever the server's own default is.
    "options": f"-c synchronous_commit=on -c lock_timeout={LOCK_WAIT_S}s -c statement_timeout=120s"
    " -c idle_in_transaction_session_timeout=60s",
}
#: What may pass by itself. PostgreSQL says with an internal error that a server takes no writes after a failover.
_PASSING = (OperationalError, InterfaceError, InternalError, NoConnectionFree)
_WRITES = "lienthong_writes"

Insert = postgresql.Insert | sqlite.Insert


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One open database; `name` is what messages call it. Threads may share it."""

    name: str
    engine: Engine

    @property
    def is_server(self) -> bool:
        """Whether this is PostgreSQL."""
        return self.engine.dialect.name == "postgresql"

    def close(self) -> None:
        """Close every connection; one that a thread still uses is closed as soon as it is given back."""
        event.listen(self.engine, "checkin", _close_for_good)
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read with, in one transaction. Raises DatabaseAway."""
        with self._speaking(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection to write with, committed where the block ends without a fault. Raises DatabaseAway.

        Of a file it has the only right to write from its beginning, so that nothing it has read changes before it
        writes; of a server rows have to be locked.
        """
        with self._speaking(), self.engine.execution_options(**{_WRITES: True}).begin() as connection:
            yield connection

    def insert(self, table: Table) -> Insert:
        """Return an insertion that may say what happens on a conflict."""
        return postgresql.insert(table) if self.is_server else sqlite.insert(table)

    def ping(self) -> None:
        """Return once the database has answered. Raises DatabaseAway."""
        with self.reading() as connection:
            connection.execute(text("SELECT 1"))

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except _PASSING as fault:
            raise DatabaseAway(self.name, reason_of(fault)) from fault


def file_database(path: Path, name: str) -> Database:
    """Open or create a file: write-ahead log, and what is committed is on disk."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": LOCK_WAIT_S}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_file)
    event.listen(engine, "begin", _begin)
    return Database(name=name, engine=engine)


def server_database(url: str, name: str, *, connections: int = CONNECTIONS_MAX) -> Database:
    """Return the database at an address of PostgreSQL, with every parameter that its own clients know.

    Nothing is connected yet. Several hosts may be given. Raises DatabaseRefused for an address that is none.
    """
    import psycopg  # noqa: PLC0415 -- a quarter of a second that an embedded installation need not spend
    from psycopg import conninfo  # noqa: PLC0415 -- as above

    try:
        given = {**_SERVER_SETTINGS, **conninfo.conninfo_to_dict(url)}
    except psycopg.ProgrammingError:
        # What was wrong is not repeated: of an address that is not understood any part may be the password.
        message = f"{name} has an address that PostgreSQL does not understand (postgresql://USER:PASSWORD@HOST/NAME)."
        raise DatabaseRefused(message) from None

    def connect() -> Any:
        return psycopg.connect(**given)  # type: ignore[arg-type]  # strings, as libpq takes them

    engine = create_engine(
        "postgresql+psycopg://",
        creator=connect,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=LOCK_WAIT_S,
        # A connection that died with its server is replaced before it is used.
        pool_pre_ping=True,
        hide_parameters=True,
    )
    return Database(name=name, engine=engine)


def _prepare_file(connection: Any, _record: object) -> None:
    # Python's own transactions begin late, and not at all around a change of the tables: ours begin when we say so.
    connection.isolation_level = None
    # An archived decision has some 2.7 kB: a page of the usual size would hold one and waste a third of itself.
    for pragma in ("page_size=8192", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _close_for_good(_connection: object, record: ConnectionPoolEntry) -> None:
    record.invalidate()


def reason_of(fault: SQLAlchemyError) -> str:
    """Return the first line of what the database said: the lines after it may show a row."""
    if isinstance(fault, DBAPIError) and fault.orig is not None:
        said = str(fault.orig).strip().partition("\n")[0]
        return f"{type(fault.orig).__name__}, {said}" if said else type(fault.orig).__name__
    return type(fault).__name__
