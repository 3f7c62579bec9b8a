"""Orders, their events, and the writes that are no placements."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("account", sa.String(80), nullable=False),
        sa.Column("client_order_id", sa.Text),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("sent_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("account", "client_order_id", name="orders_by_client"),
    )
    op.create_index("orders_by_state", "orders", ["state"])
    op.create_index("orders_by_update", "orders", ["updated_at"])
    op.create_table(
        "order_events",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("order", sa.String(64), nullable=False),
        sa.Column("account", sa.String(80), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("event", sa.LargeBinary),
        sa.Column("update", sa.LargeBinary),
    )
    op.create_index("order_events_by_order", "order_events", ["order", "seq"])
    op.create_index("order_events_by_account", "order_events", ["account", "seq"])
    op.create_index("order_events_by_time", "order_events", ["at"])
    op.create_table(
        "order_acts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("account", sa.String(80), nullable=False),
        sa.Column("client_order_id", sa.Text),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("sent_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("order_acts_by_client", "order_acts", ["account", "client_order_id"])
    op.create_index("order_acts_by_state", "order_acts", ["state"])
    op.create_index("order_acts_by_time", "order_acts", ["created_at"])
    op.create_index("order_acts_by_update", "order_acts", ["updated_at"])
