"""Tradelab's orders: place, modify, cancel, and the books of orders and trades.

What the desk refuses (a wrong field, an unknown contract) is an error at once; what the risk checks or the exchange
refuse is an order of its own, rejected in the book."""

from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Action, PriceType, Product

from . import tradelab_rows
from .desk import Refusal
from .market import Market
from .orders import Order, Validity
from .retail import Invalid
from .tradelab_rest import success

if TYPE_CHECKING:
    from .tradelab import Tradelab

PRICE_TYPES = {theirs: ours for ours, theirs in tradelab_rows.ORDER_TYPES.items()}

T = TypeVar("T")


class Place(msgspec.Struct):
    client_id: str
    exchange: str
    instrument_token: str | int
    order_type: str
    order_side: Action
    product: Product
    quantity: int
    validity: Validity
    user_order_id: str | int | None
    price: float = 0.0
    trigger_price: float = 0.0
    disclosed_quantity: int = 0
    amo: bool = False


class Modify(msgspec.Struct):
    client_id: str
    exchange: str
    instrument_token: str | int
    oms_order_id: str
    order_type: str
    quantity: int
    validity: Validity
    price: float = 0.0
    trigger_price: float = 0.0
    exchange_order_id: str = ""
    filled_quantity: int | None = None
    remaining_quantity: int | None = None
    last_activity_reference: int | None = None
    execution_type: str = ""


class TradelabOrders:
    def __init__(self, broker: "Tradelab") -> None:
        self._broker = broker

    def routes(self) -> list[BaseRoute]:
        signed, write, of_client = self._broker.signed, self._broker.write, self._broker.of_client
        return [
            Route("/api/v1/orders", write(self._place), methods=["POST"]),
            Route("/api/v1/orders", write(self._modify), methods=["PUT"]),
            Route("/api/v1/orders", signed(of_client(self._order_book)), methods=["GET"]),
            Route("/api/v1/orders/{order_id}", write(of_client(self._cancel)), methods=["DELETE"]),
            Route("/api/v1/trades", signed(of_client(self._trades))),
        ]

    async def _place(self, request: Request) -> Response:
        form = self._asked(await request.body(), Place)
        market = self._market(form.exchange, form.instrument_token)
        kind, price, trigger = _prices(form.order_type, form.price, form.trigger_price)
        if form.quantity <= 0:
            raise Invalid("`quantity` is invalid")
        order = self._broker.enter(
            market,
            form.order_side,
            form.quantity,
            kind,
            form.product,
            price=price,
            trigger_price=trigger,
            tag=str(form.user_order_id or ""),
            validity=form.validity,
            terms={"disclosed_quantity": form.disclosed_quantity} if form.disclosed_quantity else {},
            held=form.amo,
        )
        return success({"oms_order_id": order.order_id}, "Order place successfully")

    async def _modify(self, request: Request) -> Response:
        form = self._asked(await request.body(), Modify)
        order = self._order(form.oms_order_id)
        for name in self._broker.variant.repeats:
            if getattr(form, name) in ("", None):
                raise Invalid(f"`{name}` can't be blank")
        kind, price, trigger = _prices(form.order_type, form.price, form.trigger_price)
        try:
            self._broker.exchange.modify(
                order.order_id, quantity=form.quantity, price=price, trigger_price=trigger, price_type=kind
            )
        except Refusal as refused:
            raise Invalid(str(refused)) from None
        number = [f" {order.order_id}"] if self._broker.variant.text else order.order_id
        return success({"oms_order_id": number}, "Order modification request submitted")

    async def _cancel(self, request: Request) -> Response:
        order = self._order(request.path_params["order_id"])
        try:
            self._broker.exchange.cancel(order.order_id)
        except Refusal as refused:
            raise Invalid(str(refused)) from None
        text = f"Order cancellation request submitted for OMS Order: {order.order_id}"
        return success({"oms_order_id": order.order_id}, text)

    async def _order_book(self, request: Request) -> Response:
        kind = request.query_params.get("type")
        if kind not in ("pending", "completed"):
            raise Invalid("`type` is invalid")
        over = kind == "completed"
        rows = [
            row
            for order, row in zip(self._broker.todays_orders(), self._broker.order_rows(), strict=True)
            if order.status.is_final is over
        ]
        body = b'{"status":"success","message":"","data":{"orders":[' + b",".join(rows) + b"]}}"
        return Response(body, media_type="application/json")

    async def _trades(self, request: Request) -> Response:
        rows = [
            tradelab_rows.trade_row(trade, order, *self._broker.listed(order))
            for trade, order in self._broker.todays_trades()
        ]
        return success({"trades": rows})

    def _asked(self, body: bytes, form: type[T]) -> T:
        """A JSON body as it should be, of this client. Raises Invalid."""
        try:
            told = msgspec.json.decode(body, type=form)
        except msgspec.DecodeError as wrong:
            raise Invalid(str(wrong)) from None
        if getattr(told, "client_id", "") != self._broker.user_id:
            raise Invalid("`client_id` is invalid")
        return told

    def _market(self, exchange: str, token: str | int) -> Market:
        market = self._broker.find(exchange, int(token)) if str(token).isdecimal() else None
        if market is None or market.is_index:
            raise Invalid("`instrument_token` is invalid")
        return market

    def _order(self, order_id: str) -> Order:
        if (order := self._broker.order(order_id)) is None:
            raise Invalid("`oms_order_id` is invalid")
        return order


def _prices(word: str, price: float, trigger: float) -> tuple[PriceType, float, float]:
    """Those that the type has; others are not looked at. Raises Invalid."""
    if (kind := PRICE_TYPES.get(word)) is None:
        raise Invalid("`order_type` is invalid")
    price = price if kind.has_price else 0.0
    trigger = trigger if kind.has_trigger else 0.0
    if (kind.has_price and price <= 0) or (kind.has_trigger and trigger <= 0):
        raise Invalid("`price` is invalid")
    return kind, price, trigger
