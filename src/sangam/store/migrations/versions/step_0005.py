"""Paper or live, by user and by key; the rules that orders are checked against."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("users", sa.Column("analyzer", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("api_keys", sa.Column("mode", sa.String(8), nullable=False, server_default="follow"))
    op.create_table(
        "rules",
        sa.Column("account", sa.String(80), primary_key=True),
        sa.Column("rules", sa.JSON, nullable=False),
    )
