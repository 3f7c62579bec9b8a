"""IIFL Securities, TT Blaze: the older API of the house, Symphony XTS."""

from sangam.brokers.families.xts import EXCHANGES, Member, broker
from sangam.model.enums import Exchange

SPEC = broker(
    Member(
        name="iifl",
        title="IIFL Blaze",
        aliases=("iifl securities", "tt blaze"),
        root="https://ttblaze.iifl.com",
        exchanges=(*EXCHANGES, Exchange.CDS, Exchange.MCX),
    )
)
