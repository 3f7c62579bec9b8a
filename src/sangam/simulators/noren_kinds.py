"""How each broker of the Noren family speaks its wire, from the broker's side: one row each."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from sangam.model.enums import Exchange

from .quota import Rows

_USUAL = {Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO, Exchange.CDS, Exchange.MCX}
_SEBI: Rows = {"orders": ((10, 1.0),), "default": ((10, 1.0),)}


class Kind(NamedTuple):
    """`body` and `charts` say how a request (or one for candles) proves its session. `lacks` are routes that are not
    there. `shared` counts all requests together, and `wordy` tells an excess in words, with HTTP 200. The socket:
    `acknowledges` heartbeats, `tells_orders` without being asked, and calls the product `product` there. `listed`
    answers triggers by a list of one, with names in other letters. `strike` is the strike's column in BFO's file."""

    name: str
    root: str = "NorenWClientAPI"
    socket: str = "NorenWSAPI"
    login: Literal["oauth", "pi"] = "oauth"
    body: Literal["bearer", "jkey"] = "bearer"
    charts: Literal["bearer", "jkey"] = "bearer"
    renews: bool = False
    exchanges: frozenset[Exchange] = frozenset(_USUAL)
    masters: Literal["zipped", "flattrade"] = "zipped"
    strike: str = "StrikePrice"
    lacks: frozenset[str] = frozenset()
    shared: bool = False
    wordy: bool = False
    acknowledges: bool = False
    tells_orders: bool = False
    product: str = "prd"
    listed: bool = False
    limits: Rows = _SEBI


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("shoonya", charts="jkey", exchanges=frozenset({*_USUAL, Exchange.NCDEX})),
        Kind(
            "flattrade",
            root="PiConnectAPI",
            socket="PiConnectWSAPI",
            login="pi",
            body="jkey",
            charts="jkey",
            masters="flattrade",
            product="pcode",
            listed=True,
            limits={"orders": ((10, 1.0), (40, 60.0)), "default": ((40, 1.0), (200, 60.0))},
        ),
        Kind(
            "zebu",
            renews=True,
            acknowledges=True,
            lacks=frozenset({"GetOrderMargin", "GetBasketMargin"}),
        ),
        Kind(
            "tradesmart",
            root="NorenWClientAPIv2",
            strike="Strike",
            acknowledges=True,
            tells_orders=True,
            shared=True,
            wordy=True,
            lacks=frozenset(
                {
                    "Logout", "GetIndexList", "GetBasketMargin", "ProductConversion", "PlaceGTTOrder",
                    "ModifyGTTOrder", "CancelGTTOrder", "GetPendingGTTOrder",
                }
            ),
            limits={"default": ((10, 1.0), (120, 60.0))},
        ),
    )
}  # fmt: skip
