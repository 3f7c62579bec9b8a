"""Upstox' order routes: place, modify and cancel (v3), with validations and the errors of the documentation.

What the desk refuses (a wrong field, an unknown contract) is an error at once; what the risk checks or the exchange
refuse is an order of its own, rejected in the book."""

from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Action, PriceType, Product
from sangam.model.enums import Exchange as Code

from .desk import Refusal
from .listing import Contract
from .market import Market
from .orders import Order, Validity
from .retail import Invalid
from .upstox_rest import success
from .upstox_wire import is_cash

if TYPE_CHECKING:
    from .upstox import Upstox

MAX_TAG = 40
MAX_PROTECTION = 25

T = TypeVar("T")


class Place(msgspec.Struct):
    quantity: int
    product: str
    validity: Validity
    price: float
    order_type: PriceType
    transaction_type: Action
    disclosed_quantity: int
    trigger_price: float
    is_amo: bool
    instrument_token: str = ""
    tag: str | None = None
    slice: bool = False
    market_protection: float | None = None


class Modify(msgspec.Struct):
    order_id: str
    validity: Validity
    price: float
    order_type: PriceType
    trigger_price: float
    quantity: int | None = None
    disclosed_quantity: int | None = None
    market_protection: float = -1


class UpstoxOrders:
    def __init__(self, upstox: "Upstox") -> None:
        self._upstox = upstox

    def routes(self) -> list[BaseRoute]:
        write = self._upstox.write
        return [
            Route("/v3/order/place", write(self._place), methods=["POST"]),
            Route("/v3/order/modify", write(self._modify), methods=["PUT"]),
            Route("/v3/order/cancel", write(self._cancel), methods=["DELETE"]),
        ]

    async def _place(self, request: Request) -> Response:
        order = self.enter(asked(await request.body(), Place))
        return success({"order_ids": [order.order_id]}, latency=True)

    def enter(self, form: Place) -> Order:
        """Let an order in. Raises Invalid."""
        if not form.instrument_token:
            raise Invalid("The instrument_key is required", "UDAPI1026")
        if form.quantity <= 0:
            raise Invalid("The quantity is required and must be above zero", "UDAPI1052")
        market = self._upstox.market(form.instrument_token)
        if market.contract.exchange is Code.MCX:
            raise Invalid("MCX orders via API are temporarily disabled", "UDAPI1161")
        if form.tag is not None and len(form.tag) > MAX_TAG:
            raise Invalid(f"The tag has more than {MAX_TAG} characters", "UDAPI100036")
        price, trigger = _prices(form.order_type, form.price, form.trigger_price)
        _check_protection(form.order_type, form.market_protection or 0)
        product = product_of(form.product, market.contract)
        terms: dict[str, float | str] = {"market_protection": form.market_protection or 0}
        if form.disclosed_quantity:
            terms["disclosed_quantity"] = form.disclosed_quantity
        return self._upstox.enter(
            market,
            form.transaction_type,
            form.quantity,
            form.order_type,
            product,
            price=price,
            trigger_price=trigger,
            tag=form.tag or "",
            validity=form.validity,
            terms=terms,
        )

    async def _modify(self, request: Request) -> Response:
        form = asked(await request.body(), Modify)
        order = self._order(form.order_id)
        price, trigger = _prices(form.order_type, form.price, form.trigger_price)
        _check_protection(form.order_type, form.market_protection)
        try:
            self._upstox.exchange.modify(
                order.order_id,
                quantity=form.quantity,
                price=price,
                trigger_price=trigger,
                price_type=form.order_type,
            )
        except Refusal as refused:
            if order.status.is_final:
                text = "Modification of cancelled/rejected/completed orders is not allowed"
                raise Invalid(text, "UDAPI100041") from None
            raise Invalid(f"{refused}.", "UDAPI100036") from None
        return success({"order_id": order.order_id}, latency=True)

    async def _cancel(self, request: Request) -> Response:
        order = self._order(request.query_params.get("order_id", ""))
        try:
            self._upstox.exchange.cancel(order.order_id)
        except Refusal:
            text = "The order is already cancelled/rejected/completed"
            raise Invalid(text, "UDAPI100040") from None
        return success({"order_id": order.order_id}, latency=True)

    def _order(self, order_id: str) -> Order:
        if not order_id:
            raise Invalid("The order_id is required", "UDAPI1023")
        return self._upstox.known(order_id)


def asked(body: bytes, form: type[T]) -> T:
    """A JSON body as it should be. Raises Invalid."""
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.DecodeError as wrong:
        raise Invalid(f"Invalid input: {wrong}", "UDAPI100036") from None


def product_of(code: str, contract: Contract) -> Product:
    if code == "I":
        return Product.MIS
    if code != "D":
        raise Invalid("The product is invalid", "UDAPI1054")
    return Product.CNC if is_cash(contract) else Product.NRML


def _prices(price_type: PriceType, price: float, trigger: float) -> tuple[float, float]:
    """Those that the type has; others are not looked at."""
    price = price if price_type.has_price else 0.0
    trigger = trigger if price_type.has_trigger else 0.0
    if (price_type.has_price and price <= 0) or (price_type.has_trigger and trigger <= 0):
        raise Invalid("The price or trigger_price is missing", "UDAPI100036")
    return price, trigger


def _check_protection(price_type: PriceType, protection: float) -> None:
    if not (protection == -1 or 0 <= protection <= MAX_PROTECTION):
        raise Invalid("The market_protection is invalid", "UDAPI100036")
    if not protection and not price_type.has_price:
        raise Invalid("Market orders are not allowed via API. Try placing a limit order", "UDAPI1158")


def check_market(market: Market) -> Market:
    """An index is no instrument of orders."""
    if market.is_index:
        raise Invalid("Invalid Instrument key", "UDAPI100011")
    return market
