"""Kite's calculators: margins of orders and baskets, and charges, by the broker's simple rates."""

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Action, Exchange, Product

from .kite_rest import success
from .market import Market
from .portfolio import Wish, is_option, multiplier
from .retail import Invalid

if TYPE_CHECKING:
    from .zerodha import Zerodha

BROKERAGE = 20.0
_TAX, _TURNOVER, _SEBI, _GST, _STAMP = 0.00025, 0.0000297, 0.000001, 0.18, 0.00003


class Asked(msgspec.Struct):
    """One order of a question. Kite's clients leave out what they do not know."""

    exchange: str
    tradingsymbol: str
    transaction_type: Action
    product: Product
    quantity: float
    variety: str = "regular"
    order_type: str = "MARKET"
    price: float = 0.0
    trigger_price: float = 0.0
    average_price: float = 0.0
    order_id: str = ""


class KiteMargins:
    def __init__(self, kite: "Zerodha") -> None:
        self._kite = kite

    def routes(self) -> list[BaseRoute]:
        signed = self._kite.signed
        return [
            Route("/margins/orders", signed(self._orders), methods=["POST"]),
            Route("/margins/basket", signed(self._basket), methods=["POST"]),
            Route("/charges/orders", signed(self._note), methods=["POST"]),
        ]

    async def _orders(self, request: Request) -> Response:
        return success([self._row(*pair) for pair in await self._asked(request)])

    async def _basket(self, request: Request) -> Response:
        rows = [self._row(*pair) for pair in await self._asked(request)]
        total = _total(rows)
        data = {"initial": total, "final": total, "charges": total["charges"]}
        return success(data if request.query_params.get("mode") == "compact" else data | {"orders": rows})

    async def _note(self, request: Request) -> Response:
        names = ("transaction_type", "tradingsymbol", "exchange", "variety", "product", "order_type", "quantity")
        rows = []
        for order, market in await self._asked(request):
            price = order.average_price or order.price
            told = {name: getattr(order, name) for name in names}
            rows.append(told | {"price": price, "charges": _charges(order, market, price)})
        return success(rows)

    async def _asked(self, request: Request) -> list[tuple[Asked, Market]]:
        """The orders of a JSON body with their markets."""
        try:
            orders = msgspec.json.decode(await request.body(), type=list[Asked])
        except msgspec.DecodeError as wrong:
            raise Invalid(f"Invalid order: {wrong}") from None
        found = []
        for order in orders:
            market = self._kite.named(f"{order.exchange}:{order.tradingsymbol}")
            if market is None:
                raise Invalid(f"Invalid `tradingsymbol` {order.tradingsymbol}.")
            found.append((order, market))
        return found

    def _row(self, order: Asked, market: Market) -> dict[str, Any]:
        """The margin of one order: shares have theirs as `var`, bought options as premium, the rest as span."""
        price = order.price or order.trigger_price or market.rupees(market.ltp)
        wish = Wish(order.transaction_type, int(order.quantity), order.product, price)
        total = self._kite.portfolio.required(market, wish)
        place = "span"
        if market.contract.expiry is None:
            place = "var"
        elif is_option(market.contract) and order.transaction_type is Action.BUY:
            place = "option_premium"
        commodity = market.contract.exchange in (Exchange.MCX, Exchange.NCO)
        row = _EMPTY | {
            "type": "commodity" if commodity else "equity",
            "tradingsymbol": order.tradingsymbol,
            "exchange": order.exchange,
            "leverage": 1 if order.product is Product.CNC else 5,
            "charges": _charges(order, market, price),
            "total": total,
        }
        return row | {place: total}


_SUMS = ("span", "exposure", "option_premium", "additional", "bo", "cash", "var", "total")
_EMPTY: dict[str, Any] = (
    {"type": "", "tradingsymbol": "", "exchange": ""}
    | dict.fromkeys(_SUMS, 0)
    | {"pnl": {"realised": 0, "unrealised": 0}, "leverage": 0}
)


def _total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    sums = {name: round(sum(row[name] for row in rows), 4) for name in _SUMS}
    charges: dict[str, Any] = {name: sum(row["charges"][name] for row in rows) for name in _CHARGES}
    gst = sum(row["charges"]["gst"]["total"] for row in rows)
    charges |= {"transaction_tax_type": "", "gst": {"igst": gst, "cgst": 0, "sgst": 0, "total": gst}}
    return _EMPTY | sums | {"charges": charges | {"total": sum(row["charges"]["total"] for row in rows)}}


_CHARGES = ("transaction_tax", "exchange_turnover_charge", "sebi_turnover_charge", "brokerage", "stamp_duty")


def _charges(order: Asked, market: Market, price: float) -> dict[str, Any]:
    value = price * order.quantity * multiplier(market.contract)
    buy = order.transaction_type is Action.BUY
    brokerage = 0.0 if order.product is Product.CNC else min(BROKERAGE, value * 0.0003)
    tax, turnover, sebi, stamp = (0.0 if buy else value * _TAX), value * _TURNOVER, value * _SEBI, buy * value * _STAMP
    gst = (brokerage + turnover + sebi) * _GST
    return {
        "transaction_tax": tax,
        "transaction_tax_type": "ctt" if market.contract.exchange is Exchange.MCX else "stt",
        "exchange_turnover_charge": turnover,
        "sebi_turnover_charge": sebi,
        "brokerage": brokerage,
        "stamp_duty": stamp,
        "gst": {"igst": gst, "cgst": 0, "sgst": 0, "total": gst},
        "total": tax + turnover + sebi + brokerage + stamp + gst,
    }
