"""Users choose default accounts and have passwords; a session remembers how it ended."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("users", sa.Column("password", sa.Text))
    op.add_column("users", sa.Column("data_account", sa.String(80)))
    op.add_column("users", sa.Column("order_account", sa.String(80)))
    op.add_column("sessions", sa.Column("ended", sa.String(16)))
    op.add_column("sessions", sa.Column("detail", sa.Text))
