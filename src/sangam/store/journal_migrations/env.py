"""Alembic runs this file for every command; the connection comes from `upgrade`, inside its transaction."""

from alembic import context

from sangam.store.journal_migrations import VERSION_TABLE
from sangam.store.paper_tables import metadata  # the journal's, with the paper books' table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
