"""The tables of the house. Times are epoch milliseconds; blobs are sealed by the vault."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("password", Text),  # argon2's own format; none: this user cannot sign in
    Column("data_account", String(80)),  # none, or an account that is gone: the user's first
    Column("order_account", String(80)),
    Column("analyzer", Boolean, nullable=False, default=False, server_default=false()),  # on: orders go to paper
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("user", ForeignKey("users.name"), nullable=False),
    Column("broker", String(32), nullable=False),
    Column("client_id", String(64), nullable=False, default=""),
    Column("secrets", LargeBinary, nullable=False),
    Column("hosts", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("egress", LargeBinary),  # sealed: a proxy's URL may hold a password
    Column("registered_ip", String(45)),
)

sessions = Table(
    "sessions",
    metadata,
    Column("account", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("hosts", JSON, nullable=False),
    Column("secrets", LargeBinary),  # none: the session is over, its generation is remembered
    Column("expires_at", BigInteger),
    Column("ended", String(16)),  # how the last session ended, and what is known of it
    Column("detail", Text),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("user", ForeignKey("users.name"), nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("label", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("data_account", String(80)),  # no foreign keys: a key outlives its account, and then has none
    Column("order_account", String(80)),
    Column("interval_ms", Integer),
    Column("mode", String(8), nullable=False, default="follow", server_default="follow"),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
)

rules = Table(
    "rules",
    metadata,
    Column("account", String(80), primary_key=True),  # "*": all accounts of the house
    Column("rules", JSON, nullable=False),
)

vault = Table(
    "vault",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
