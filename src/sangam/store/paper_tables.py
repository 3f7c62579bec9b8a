"""What the paper books keep, in the journal's database: one row for each order, trade, position and so on of a user.

`day` is the session that orders and trades belong to, so that old ones need not be read again; `body` is JSON."""

from sqlalchemy import Column, Index, String, Table, Text

from .journal_tables import metadata

paper_records = Table(
    "paper_records",
    metadata,
    Column("owner", String(32), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("id", String(80), primary_key=True),
    Column("day", String(10), nullable=False),  # empty: whatever the day
    Column("body", Text, nullable=False),
    Index("paper_records_day", "owner", "day"),
)

__all__ = ["metadata", "paper_records"]
