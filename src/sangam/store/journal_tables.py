"""The tables of the journal. Times are epoch milliseconds; what is looked up has a column, the rest is in `body`, JSON.

An order's row is what it is now; its events are only ever added."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()

orders = Table(
    "orders",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account", String(80), nullable=False),
    Column("client_order_id", Text),  # none where the caller gave none
    Column("order_id", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("account", "client_order_id", name="orders_by_client"),
    Index("orders_by_state", "state"),
    Index("orders_by_update", "updated_at"),
)

order_events = Table(
    "order_events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("order", String(64), nullable=False),
    Column("account", String(80), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("state", String(20), nullable=False),
    Column("body", Text, nullable=False),  # the order as it was then
    Column("event", LargeBinary),  # what clients were told; none: only the audit trail knows
    Column("update", LargeBinary),
    Index("order_events_by_order", "order", "seq"),
    Index("order_events_by_account", "account", "seq"),
    Index("order_events_by_time", "at"),
)

order_acts = Table(
    "order_acts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account", String(80), nullable=False),
    Column("client_order_id", Text),
    Column("state", String(20), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger, nullable=False),  # 0: it was not
    Column("updated_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("order_acts_by_client", "account", "client_order_id"),
    Index("order_acts_by_state", "state"),
    Index("order_acts_by_time", "created_at"),
    Index("order_acts_by_update", "updated_at"),
)
