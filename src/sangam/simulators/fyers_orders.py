"""Fyers' desk: orders, books, margins and the conversion of positions."""

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Product

from . import fyers_rows as rows
from .desk import Refusal
from .fyers_rest import API, body_of, success
from .market import Market
from .orders import Order, Validity
from .portfolio import Wish
from .retail import Invalid

if TYPE_CHECKING:
    from .fyers import Fyers

TYPES = {number: kind for kind, number in rows.TYPES.items()}
SIDES = {number: side for side, number in rows.SIDES.items()}
PRODUCTS = {name: product for product, name in rows.PRODUCTS.items()}
MAX_TAG = 30


class Asked(msgspec.Struct, rename="camel"):
    """A placement as the SDK sends it."""

    symbol: str
    qty: int
    type: int
    side: int
    product_type: str
    limit_price: float = 0.0
    stop_price: float = 0.0
    validity: str = "DAY"
    disclosed_qty: int = 0
    offline_order: bool = False
    stop_loss: float = 0.0
    take_profit: float = 0.0
    order_tag: str = ""
    is_slice_order: bool = False


class Change(msgspec.Struct, rename="camel"):
    id: str
    type: int | None = None
    qty: int | None = None
    limit_price: float | None = None
    stop_price: float | None = None
    disclosed_qty: int | None = None


class Conversion(msgspec.Struct, rename="camel"):
    symbol: str
    position_side: int
    convert_qty: int
    convert_from: str
    convert_to: str
    overnight: int


class Named(msgspec.Struct):
    id: str


class FyersOrders:
    def __init__(self, fyers: "Fyers") -> None:
        self._fyers = fyers

    def routes(self) -> list[BaseRoute]:
        signed, write = self._fyers.signed, self._fyers.write
        orders = f"{API}/orders/sync"
        return [
            Route(orders, write(self._place, "default"), methods=["POST"]),
            Route(orders, write(self._modify, "default"), methods=["PATCH"]),
            Route(orders, write(self._cancel, "default"), methods=["DELETE"]),
            Route(f"{API}/orders", signed(self._book)),
            Route(f"{API}/tradebook", signed(self._trades)),
            Route(f"{API}/positions", signed(self._positions)),
            Route(f"{API}/positions", write(self._convert, "default"), methods=["POST"]),
            Route(f"{API}/holdings", signed(self._holdings)),
            Route(f"{API}/funds", signed(self._funds)),
            Route(f"{API}/multiorder/margin", signed(self._margin), methods=["POST"]),
        ]

    # --- orders -------------------------------------------------------------------------------------------------------

    async def _place(self, request: Request) -> Response:
        order = self.enter(as_form(await body_of(request), Asked))
        text = f"Order submitted successfully. Your Order Ref. No.{order.order_id}"
        return success({"id": order.order_id}, 1101, text)

    def enter(self, ask: Asked) -> Order:
        """Let an order in. Raises Invalid."""
        market = self.tradable(ask.symbol)
        kind, action, product = TYPES.get(ask.type), SIDES.get(ask.side), PRODUCTS.get(ask.product_type)
        tag_is_good = len(ask.order_tag) <= MAX_TAG and (ask.order_tag.isalnum() or not ask.order_tag)
        if kind is None or action is None or product is None or not tag_is_good or ask.qty <= 0:
            raise Invalid("Invalid input")
        strange = Product.NRML if market.contract.expiry is None else Product.CNC
        if product is strange or ask.validity not in ("DAY", "IOC"):
            raise Invalid("Invalid input")
        if (kind.has_price and ask.limit_price <= 0) or (kind.has_trigger and ask.stop_price <= 0):
            raise Invalid("Please provide a valid limitPrice or stopPrice")
        terms: dict[str, float | str] = {"disclosedQty": ask.disclosed_qty} if ask.disclosed_qty else {}
        return self._fyers.enter(
            market,
            action,
            ask.qty,
            kind,
            product,
            price=ask.limit_price if kind.has_price else 0.0,
            trigger_price=ask.stop_price if kind.has_trigger else 0.0,
            tag=ask.order_tag,
            validity=Validity(ask.validity),
            terms=terms,
            held=ask.offline_order,
        )

    async def _modify(self, request: Request) -> Response:
        ask = as_form(await body_of(request), Change)
        order = self._order(ask.id)
        kind = TYPES.get(ask.type) if ask.type is not None else order.price_type
        if kind is None:
            raise Invalid("Invalid input")
        price, trigger = ask.limit_price or order.price, ask.stop_price or order.trigger_price
        try:
            self._fyers.exchange.modify(
                order.order_id,
                quantity=ask.qty or order.quantity,
                price=price if kind.has_price else 0.0,
                trigger_price=trigger if kind.has_trigger else 0.0,
                price_type=kind,
            )
        except Refusal as refused:
            raise _too_late(order, refused) from None
        return success({"id": order.order_id}, 1102, "Successfully modified order")

    async def _cancel(self, request: Request) -> Response:
        order = self._order(as_form(await body_of(request), Named).id)
        try:
            self._fyers.exchange.cancel(order.order_id)
        except Refusal as refused:
            raise _too_late(order, refused) from None
        return success({"id": order.order_id}, 1103, "Successfully cancelled order")

    def _order(self, order_id: str) -> Order:
        if (order := self._fyers.order(order_id)) is None:
            raise Invalid("Please provide a valid order id", "-51")
        return order

    def tradable(self, name: str) -> Market:
        market = self._fyers.named(name)
        if market is None or market.is_index:
            raise Invalid("Invalid symbol provided", "-300")
        return market

    # --- books --------------------------------------------------------------------------------------------------------

    async def _book(self, request: Request) -> Response:
        query = request.query_params
        if (order_id := query.get("id")) is not None:
            order = self._order(order_id)
            return success({"orderBook": [self._fyers.order_row(order)]})
        found = self._fyers.order_rows()
        if (tag := query.get("order_tag")) is not None:
            found = [row for row in found if msgspec.json.decode(row)["orderTag"] == tag]
        return success({"orderBook": [msgspec.Raw(row) for row in found]})

    async def _trades(self, request: Request) -> Response:
        found = [
            rows.trade_row(trade, order, *self._fyers.listed(order)) for trade, order in self._fyers.todays_trades()
        ]
        return success({"tradeBook": found})

    async def _positions(self, request: Request) -> Response:
        found = [rows.position_row(*owned) for owned in self._fyers.positions()]
        total = sum(row["pl"] for row in found)
        overall = {
            "count_total": len(found),
            "count_open": sum(bool(row["netQty"]) for row in found),
            "pl_total": total,
        }
        return success({"netPositions": found, "overall": overall})

    async def _convert(self, request: Request) -> Response:
        ask = as_form(await body_of(request), Conversion)
        old, new = PRODUCTS.get(ask.convert_from), PRODUCTS.get(ask.convert_to)
        market = self._fyers.named(ask.symbol.removesuffix(f"-{ask.convert_from}"))
        if market is None or old is None or new is None or ask.position_side not in SIDES:
            raise Invalid("Invalid position id", "-53")
        if old is Product.CNC:
            raise Invalid("You cannot convert CNC position to INTRADAY / MARGIN.")
        if not self._fyers.portfolio.convert(market.contract, old, new, ask.convert_qty):
            raise Invalid("There is no such quantity to convert.", "-53")
        return success({"positionDetails": 1101}, message="Position Converted Successfully!!")

    async def _holdings(self, request: Request) -> Response:
        found = enumerate(self._fyers.holdings(), 1)
        told = [rows.holding_row(*owned, sold, number) for number, (owned, sold) in found]
        return success({"holdings": told, "overall": {"count_total": len(told)}})

    async def _funds(self, request: Request) -> Response:
        return success({"fund_limit": rows.funds_rows(self._fyers.portfolio.funds())})

    async def _margin(self, request: Request) -> Response:
        legs = as_form((await body_of(request)).get("data"), list[Asked])
        total = 0.0
        for leg in legs:
            market, product = self.tradable(leg.symbol), PRODUCTS.get(leg.product_type)
            if product is None or leg.side not in SIDES:
                raise Invalid("Invalid input")
            price = leg.limit_price or leg.stop_price or market.rupees(market.ltp)
            total += self._fyers.portfolio.required(market, Wish(SIDES[leg.side], leg.qty, product, price))
        free = self._fyers.portfolio.funds().available
        return success({"data": {"margin_avail": free, "margin_total": total, "margin_new_order": total}})


def _too_late(order: Order, refused: Refusal) -> Invalid:
    return Invalid("Not a pending order", "-52") if order.status.is_final else Invalid(f"{refused}")


def as_form(data: Any, kind: Any) -> Any:
    """Raises Invalid for what the client left out or wrote wrongly."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError:
        raise Invalid("Invalid input") from None
