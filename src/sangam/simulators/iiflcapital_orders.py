"""IIFL Capital's orders, books and margins.

What the desk refuses (a wrong field, an unknown contract) is told in the order's own leg of a success; what the risk
checks or the exchange refuse is an order of its own, rejected in the book."""

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Action, PriceType, Product

from . import iiflcapital_rows as rows
from .desk import Refusal
from .iiflcapital_rest import BASE, answer, failure, form_of, success
from .iiflcapital_wire import CASH, moment
from .market import Market
from .orders import Order, Validity
from .portfolio import Wish
from .retail import Handler, Invalid

if TYPE_CHECKING:
    from .iiflcapital import IiflCapital

ACTIONS = {each.value: each for each in Action}
PRODUCTS = {theirs: ours for ours, theirs in rows.PRODUCTS.items()}
PRICE_TYPES = {theirs: ours for ours, theirs in rows.ORDER_TYPES.items()}
VALIDITIES = {each.value: each for each in Validity}

Form = dict[str, Any]
T = TypeVar("T")


class IiflOrders:
    def __init__(self, iifl: "IiflCapital") -> None:
        self._iifl = iifl

    def routes(self) -> list[BaseRoute]:
        signed, orders = self._iifl.signed, f"{BASE}/orders"
        return [
            Route(orders, self._leg(self._place, listed=True), methods=["POST"]),
            Route(f"{orders}/{{order_id}}", self._leg(self._modify), methods=["PUT"]),
            Route(f"{orders}/{{order_id}}", self._leg(self._cancel), methods=["DELETE"]),
            Route(orders, signed(self._order_book, "orderbook")),
            Route(f"{BASE}/trades", signed(self._trade_book, "trades")),
            Route(f"{BASE}/positions", signed(self._positions, "positions")),
            Route(f"{BASE}/holdings", signed(self._holdings, "holdings")),
            *(Route(f"{BASE}/limits{kind}", signed(self._limits, "funds")) for kind in ("", "/fno", "/equity")),
            Route(f"{BASE}/preordermargin", signed(self._margin, "margin"), methods=["POST"]),
        ]

    # --- orders -------------------------------------------------------------------------------------------------------

    def _leg(self, take: Any, *, listed: bool = False) -> Handler:
        """A write; its result is an object, that of a placement an array of them."""

        async def answered(request: Request) -> Response:
            try:
                order: Order = await take(request)
            except Invalid as invalid:
                kind = invalid.kind if invalid.kind.startswith("EC") else "Not_Ok"
                leg = {"status": kind, "message": str(invalid)}
            else:
                leg = taken(order)
            return success([leg] if listed else leg)

        return self._iifl.write(answered)

    async def _place(self, request: Request) -> Order:
        (form,) = form_of(await request.body(), list[Form])
        market = self._market(form)
        action = _one_of(ACTIONS, form, "transactionType", "EC929")
        product = _one_of(PRODUCTS, form, "product", "EC930")
        if form.get("orderComplexity") != "REGULAR":
            raise Invalid("Invalid parameter: 'orderComplexity'", "EC928")
        price_type, price, trigger = _terms(form)
        if price_type is PriceType.SL and (trigger > price if action is Action.BUY else trigger < price):
            kind = "EC973" if action is Action.BUY else "EC974"
            raise Invalid("The trigger price is on the wrong side of the price", kind)
        quantity = _whole(form, "quantity")
        if product is Product.CNC and form["exchange"] not in CASH:
            raise Invalid("Product DELIVERY is of the cash segments", "EC956")
        if product is Product.NRML and form["exchange"] in CASH:
            raise Invalid("Invalid parameter: 'product'", "EC930")
        if form.get("disclosedQuantity") and form["exchange"] in ("NSEFO", "BSEFO"):
            raise Invalid("disclosedQuantity is not allowed in F&O", "EC970")
        return self._iifl.enter(
            market,
            action,
            quantity,
            price_type,
            product,
            price=price,
            trigger_price=trigger,
            tag=form.get("orderTag", ""),
            validity=_one_of(VALIDITIES, form, "validity", "EC932"),
            terms={"disclosedQuantity": form.get("disclosedQuantity") or 0},
        )

    async def _modify(self, request: Request) -> Order:
        """One object, or an array of one; what is not told stays."""
        told = form_of(await request.body(), Any)
        form: Form = told[0] if isinstance(told, list) else told
        order = self._order(request)
        old: Form = {"orderType": rows.ORDER_TYPES[order.price_type], "quantity": str(order.quantity)}
        if "orderType" not in form:
            old |= {"price": order.price} if order.price_type.has_price else {}
            old |= {"slTriggerPrice": order.trigger_price} if order.price_type.has_trigger else {}
        whole = old | form
        price_type, price, trigger = _terms(whole)
        try:
            self._iifl.exchange.modify(
                order.order_id,
                quantity=_whole(whole, "quantity"),
                price=price,
                trigger_price=trigger,
                price_type=price_type,
            )
        except Refusal as refused:
            raise Invalid(str(refused), "EC992") from None
        return order

    async def _cancel(self, request: Request) -> Order:
        order = self._order(request)
        try:
            self._iifl.exchange.cancel(order.order_id)
        except Refusal as refused:
            raise Invalid(str(refused), "EC994") from None
        return order

    def _order(self, request: Request) -> Order:
        order = self._iifl.order(request.path_params["order_id"])
        if order is None:
            raise Invalid("Invalid parameter: 'brokerOrderId'", "EC925")
        return order

    def _market(self, form: Form) -> Market:
        if form.get("exchange") not in self._iifl.segments:
            raise Invalid("Invalid parameter: 'exchange'", "EC901")
        market = self._iifl.found(form)
        if market is None or market.is_index:
            raise Invalid("Invalid parameter: 'instrumentId'", "EC947")
        return market

    # --- books, each with another of the ways in which an empty one has been seen -------------------------------------

    async def _order_book(self, request: Request) -> Response:
        told = self._iifl.order_rows()
        return success([msgspec.Raw(row) for row in told]) if told else failure("EC916", "No orders", 200)

    async def _trade_book(self, request: Request) -> Response:
        """An array without an envelope."""
        return answer(
            [
                rows.trade_row(trade, order, *self._iifl.named(order), self._iifl.user_id)
                for trade, order in self._iifl.todays_trades()
            ]
        )

    async def _positions(self, request: Request) -> Response:
        name = self._iifl.names.of
        told = [rows.position_row(each.row, each.market, name(each.row.contract)) for each in self._iifl.positions()]
        return success(told or [{"status": "EC920", "message": "No positions"}])

    async def _holdings(self, request: Request) -> Response:
        name = self._iifl.names.of
        told = [
            rows.holding_row(each.row, each.market, name(each.row.contract)[1], used)
            for each, used in self._iifl.holdings()
        ]
        return success(told or [rows.NO_HOLDING])

    async def _limits(self, request: Request) -> Response:
        return success(rows.funds_row(self._iifl.portfolio.funds()))

    async def _margin(self, request: Request) -> Response:
        form = form_of(await request.body(), Form)
        market = self._market(form)
        action = _one_of(ACTIONS, form, "transactionType", "EC929")
        product = _one_of(PRODUCTS, form, "product", "EC930")
        wish = Wish(action, _whole(form, "quantity"), product, float(form.get("price") or 0))
        funds, needed = self._iifl.portfolio.funds(), self._iifl.portfolio.required(market, wish)
        return success(
            {
                "totalCashAvailable": funds.available,
                "preOrderMargin": funds.used,
                "postOrderMargin": funds.used + needed,
                "currentOrderMargin": needed,
                "rmsvalidationMessage": "OK" if needed <= funds.available else "NOT_OK",
                "fundShort": max(needed - funds.available, 0.0),
            }
        )


def taken(order: Order) -> Form:
    told = {"brokerOrderId": order.order_id, "requestTime": moment(order.updated)}
    return {"status": "Success", "message": "Success"} | told


def _terms(form: Form) -> tuple[PriceType, float, float]:
    """A price that the type has not is refused, and so is a missing one. Raises Invalid."""
    price_type = _one_of(PRICE_TYPES, form, "orderType", "EC931")
    if "price" in form and not price_type.has_price:
        raise Invalid("'price' is of LIMIT and SL orders", "EC978")
    if "slTriggerPrice" in form and not price_type.has_trigger:
        raise Invalid("'slTriggerPrice' is of SL and SLM orders", "EC977")
    price = _number(form, "price", "EC950") if price_type.has_price else 0.0
    return price_type, price, _number(form, "slTriggerPrice", "EC951") if price_type.has_trigger else 0.0


def _one_of(known: dict[str, T], form: Form, name: str, code: str) -> T:
    if (value := known.get(form.get(name, ""))) is None:
        raise Invalid(f"Invalid parameter: '{name}'", code)
    return value


def _whole(form: Form, name: str) -> int:
    if not (text := str(form.get(name, ""))).isdecimal():
        raise Invalid(f"Invalid parameter: '{name}'", "EC903")
    return int(text)


def _number(form: Form, name: str, code: str) -> float:
    value = form.get(name)
    if not isinstance(value, int | float) or not 0 < value < 1e9:
        raise Invalid(f"Invalid parameter: '{name}'", code)
    return float(value)
