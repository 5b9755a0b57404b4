"""Runs migrations on the connection that `migrating` hands over, in its transaction; alembic loads this file."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema=context.config.attributes["schema"],
    transactional_ddl=True,
)
context.run_migrations()
