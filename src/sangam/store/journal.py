"""Where the journal lives: a file of its own in the home folder, or in the house's PostgreSQL."""

from pathlib import Path

from sqlalchemy.engine import make_url

from .database import Database
from .journal_migrations import upgrade


def open_journal_database(home: Path, database_url: str) -> Database:
    """`journal.db` in the home folder, each commit forced to the disk; or the PostgreSQL that `DATABASE_URL` names.
    Raises ConfigError."""
    if database_url and make_url(database_url).get_backend_name() == "postgresql":
        return Database(database_url, upgrade, durable=True)
    return Database(f"sqlite:///{(home / 'journal.db').as_posix()}", upgrade, durable=True)
