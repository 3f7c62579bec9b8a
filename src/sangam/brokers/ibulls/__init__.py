"""iBulls (Indiabulls Securities), Symphony XTS."""

from sangam.brokers.families.xts import EXCHANGES, Member, broker
from sangam.model.enums import Exchange

SPEC = broker(
    Member(
        name="ibulls",
        title="iBulls",
        aliases=("indiabulls", "indiabulls securities"),
        root="https://xts.ibullssecurities.com",
        prefixes=("/apibinarymarketdata", "/apimarketdata"),
        exchanges=(*EXCHANGES, Exchange.MCX),
    )
)
