"""Finvasia's Shoonya (shoonya.com/api-documentation). Candles alone are still asked for in the older way."""

from sangam.brokers.families.noren import Member, broker
from sangam.model.enums import Exchange

SPEC = broker(
    Member(
        name="shoonya",
        title="Shoonya",
        aliases=("finvasia",),
        host="api.shoonya.com",
        charts="jkey",
        exchanges=(
            Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO, Exchange.CDS, Exchange.MCX, Exchange.NCDEX,
        ),
    )
)  # fmt: skip
