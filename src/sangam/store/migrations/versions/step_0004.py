"""The address that an account's user registered with the broker."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("registered_ip", sa.String(45)))
