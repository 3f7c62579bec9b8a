"""Wisdom Capital, Symphony XTS."""

from sangam.brokers.families.xts import EXCHANGES, Member, broker
from sangam.model.enums import Exchange

SPEC = broker(
    Member(
        name="wisdom",
        title="Wisdom Capital",
        aliases=("wisdom capital",),
        root="https://trade.wisdomcapital.in",
        exchanges=(*EXCHANGES, Exchange.CDS, Exchange.MCX),
        margin=True,
    )
)
