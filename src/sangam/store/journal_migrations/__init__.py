"""The history of the journal's tables, apart from that of the house: they may share a PostgreSQL database.

Every start takes a journal to the newest step; a released step never changes."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

VERSION_TABLE = "journal_version"


def upgrade(connection: Connection, to: str = "head") -> None:
    """Take the steps that this journal has not seen."""
    config = Config()
    config.set_main_option("script_location", "sangam:store/journal_migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
