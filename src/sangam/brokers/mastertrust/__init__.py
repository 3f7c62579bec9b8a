"""Master Trust, MasterSwift (tradeapi.mastertrust.co.in)."""

from sangam.brokers.families.tradelab import Member, broker
from sangam.model.enums import Exchange

TRADED = (Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO, Exchange.MCX)
EXCHANGES = (*TRADED, Exchange.NSE_INDEX, Exchange.BSE_INDEX)

SPEC = broker(
    Member(
        name="mastertrust",
        title="Master Trust",
        aliases=("master trust", "masterswift"),
        hosts={
            "api": "https://masterswift-beta.mastertrust.co.in",
            "stream": "wss://masterswift-beta.mastertrust.co.in",
        },
        exchanges=EXCHANGES,
        scales=dict.fromkeys(EXCHANGES, 100),
        trades=TRADED,
        # As in the documents' samples: how far an order at the market may go.
        order_terms={"market_protection_percentage": 10},
        echoes=True,
        funds="v1",
    )
)
