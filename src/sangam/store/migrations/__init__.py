"""The history of the tables. Every start takes a database to the newest step; a released step never changes."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

FIRST = "0001"


def upgrade(connection: Connection, to: str = "head") -> None:
    """Take the steps that this database has not seen."""
    config = Config()
    config.set_main_option("script_location", "sangam:store/migrations")
    config.attributes["connection"] = connection
    seen = MigrationContext.configure(connection).get_current_revision()
    if seen is None and inspect(connection).has_table("users"):
        command.stamp(config, FIRST)  # made before there were steps
    command.upgrade(config, to)
