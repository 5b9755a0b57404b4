"""Brings the schema of a database to what this release knows, once, however many processes open it at the same moment.

A migration only adds, so a release also works on the schema of the one that came after it: while an installation is
replaced process by process both run. Alembic takes a second to import and is needed only where something changes.
"""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from lienthong.adapters.databases import Database

_VERSIONS = "alembic_version"
#: Names our migrations among the advisory locks of a server that others may use as well.
_LOCK = 0x6C69656E  # "lien"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The migrations of one schema: their folder, the newest revision, and the schema's name on a server.

    A database that has the table `first_table` and no revision was made before there were migrations, as the first one
    makes it.
    """

    folder: str
    newest: str
    schema: str | None = None
    first_table: str | None = None


def bring_up_to_date(database: Database, lineage: Lineage) -> None:
    """Apply what is missing, all or nothing. Raises DatabaseAway."""
    with database.reading() as connection:
        if _is_current(connection, lineage):
            return
    with database.writing() as connection:
        if database.is_server:
            # The right to write a file is held from the beginning; here it takes a lock, until the transaction ends.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        if not _is_current(connection, lineage):
            _migrate(connection, lineage)


def _is_current(connection: Connection, lineage: Lineage) -> bool:
    revision = _revision(connection, lineage)
    return revision is not None and revision >= lineage.newest


def _revision(connection: Connection, lineage: Lineage) -> str | None:
    if not inspect(connection).has_table(_VERSIONS, schema=lineage.schema):
        return None
    table = _VERSIONS if lineage.schema is None else f"{lineage.schema}.{_VERSIONS}"
    revision: str | None = connection.execute(text(f"SELECT version_num FROM {table}")).scalar()  # noqa: S608 -- ours
    return revision


def _migrate(connection: Connection, lineage: Lineage) -> None:
    from alembic import command  # noqa: PLC0415 -- a second that most starts need not spend

    # Who may not make schemas may be given one; asked to make it nevertheless, a server refuses.
    if lineage.schema is not None and not inspect(connection).has_schema(lineage.schema):
        connection.execute(text(f"CREATE SCHEMA {lineage.schema}"))
    with resources.as_file(resources.files("lienthong.adapters").joinpath("migrations")) as folder:
        config = _config(folder, connection, lineage)
        made_before = lineage.first_table is not None and inspect(connection).has_table(lineage.first_table)
        if made_before and _revision(connection, lineage) is None:
            command.stamp(config, "0001")
        command.upgrade(config, "head")


def _config(folder: Path, connection: Connection, lineage: Lineage) -> Any:
    from alembic.config import Config  # noqa: PLC0415 -- as above

    config = Config(attributes={"connection": connection, "schema": lineage.schema})
    # A percent sign would be an interpolation.
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("version_locations", str(folder / lineage.folder).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config
