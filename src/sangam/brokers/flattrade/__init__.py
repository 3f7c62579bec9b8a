"""Flattrade's Pi (pi.flattrade.in): a login service and instrument files of its own, and the token behind each body.

A socket that is opened at once after a lost one is refused for a while. Its files have no ticks: those here are the
finest of each exchange, so that no right price is held back, and the exchange rejects a wrong one."""

from sangam.brokers.contract import Limit
from sangam.brokers.families.noren import Member, broker
from sangam.model.enums import Exchange

FILES = (
    "NSE_Equity", "BSE_Equity", "Nfo_Equity_Derivatives", "Nfo_Index_Derivatives", "Bfo_Equity_Derivatives",
    "Bfo_Index_Derivatives", "Currency_Derivatives", "Commodity",
)  # fmt: skip

SPEC = broker(
    Member(
        name="flattrade",
        title="Flattrade",
        aliases=("flat trade",),
        host="piconnect.flattrade.in",
        root="PiConnectAPI",
        socket="PiConnectWSAPI",
        hosts={
            "login": "https://auth.flattrade.in/",
            "token": "https://authapi.flattrade.in",
            "files": "https://flattrade.s3.ap-south-1.amazonaws.com/scripmaster",
        },
        login="pi",
        body="jkey",
        charts="jkey",
        files=tuple(f"/{name}.csv" for name in FILES),
        ticks={
            Exchange.NSE: 0.01, Exchange.BSE: 0.01, Exchange.NFO: 0.01, Exchange.BFO: 0.05, Exchange.CDS: 0.0001,
            Exchange.MCX: 0.01,
        },
        webhook=True,
        limits=(
            Limit("orders", 10, 1.0, reserve=2),
            Limit("orders", 40, 60.0, reserve=5),
            Limit("default", 40, 1.0),
            Limit("default", 200, 60.0),
        ),
        cooldown=5.0,
        session_ends="05:00",
    )
)  # fmt: skip
