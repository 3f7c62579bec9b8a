"""VNS Finance's TradeSmart, Trading API v2. It tells news of orders unasked; asking is harmless.

Its 10 requests a second and 120 a minute are those of all routes together: orders and the rest have their parts of
them, lest quotes keep an order waiting."""

from sangam.brokers.contract import Limit
from sangam.brokers.families.noren import Member, broker

SPEC = broker(
    Member(
        name="tradesmart",
        title="TradeSmart",
        aliases=("trade smart", "vns"),
        host="v2api.tradesmartonline.in",
        root="NorenWClientAPIv2",
        acknowledged=True,
        lacks=frozenset({"logout", "GTT", "conversion", "basket margin", "index list"}),
        limits=(
            Limit("orders", 6, 1.0, reserve=1),
            Limit("orders", 60, 60.0, reserve=10),
            Limit("default", 4, 1.0),
            Limit("default", 60, 60.0),
        ),
    )
)
