"""CompositEdge (Composite Investments), Symphony XTS."""

from sangam.brokers.families.xts import EXCHANGES, Member, broker
from sangam.model.enums import Exchange

SPEC = broker(
    Member(
        name="compositedge",
        title="CompositEdge",
        aliases=("composite edge",),
        root="https://xts.compositedge.com",
        ways=("token exchange",),
        exchanges=(*EXCHANGES, Exchange.CDS, Exchange.MCX),
    )
)
