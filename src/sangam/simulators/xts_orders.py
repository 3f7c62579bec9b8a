"""XTS's orders, books, conversions and margins.

What the checks of the fields refuse is a bad request; what the risk checks or the exchange refuse is an order of its
own, rejected in the book."""

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Action, Product

from . import xts_rows, xts_wire
from .desk import Refusal
from .market import Market
from .orders import Order, Validity
from .portfolio import Wish
from .retail import Invalid
from .xts_rest import INTERACTIVE, failure, form_of, success

if TYPE_CHECKING:
    from .xts import Xts

MAX_TAG = 20
PRICE_TYPES = {theirs.upper(): ours for ours, theirs in xts_rows.ORDER_TYPES.items()}
SIDES = {each.value: each for each in Action}
PRODUCTS = {each.value: each for each in Product}
VALIDITIES = {each.value: each for each in Validity}

Form = dict[str, Any]
T = TypeVar("T")


class XtsOrders:
    def __init__(self, xts: "Xts") -> None:
        self._xts = xts

    def routes(self) -> list[BaseRoute]:
        signed, write, orders = self._xts.signed, self._xts.write, f"{INTERACTIVE}/orders"
        portfolio = f"{INTERACTIVE}/portfolio"
        routes: list[BaseRoute] = [
            Route(orders, write(self._place), methods=["POST"]),
            Route(orders, write(self._modify), methods=["PUT"]),
            Route(orders, write(self._cancel), methods=["DELETE"]),
            Route(orders, signed(self._order_book, "books")),
            Route(f"{orders}/trades", signed(self._trade_book, "books")),
            Route(f"{portfolio}/positions", signed(self._positions, "books")),
            Route(f"{portfolio}/holdings", signed(self._holdings, "books")),
            Route(f"{portfolio}/positions/convert", write(self._convert), methods=["PUT"]),
            Route(f"{INTERACTIVE}/user/balance", signed(self._funds, "books")),
        ]
        if self._xts.variant.margin:
            routes.append(Route(f"{orders}/margindetails", signed(self._margin, "margin"), methods=["POST"]))
        return routes

    # --- orders -------------------------------------------------------------------------------------------------------

    async def _place(self, request: Request) -> Response:
        form = await form_of(request)
        market = self._market(form)
        action, product = _one_of(SIDES, form, "orderSide"), _one_of(PRODUCTS, form, "productType")
        price_type = _one_of(PRICE_TYPES, form, "orderType")
        validity, quantity = _one_of(VALIDITIES, form, "timeInForce"), _whole(form, "orderQuantity")
        price = _number(form, "limitPrice") if price_type.has_price else 0.0
        trigger = _number(form, "stopPrice") if price_type.has_trigger else 0.0
        if product is (Product.NRML if market.contract.expiry is None else Product.CNC):
            raise Invalid("productType is invalid")
        if len(tag := str(form.get("orderUniqueIdentifier", ""))) > MAX_TAG:
            raise Invalid(f"orderUniqueIdentifier must not be longer than {MAX_TAG} characters")
        order = self._xts.enter(
            market,
            action,
            quantity,
            price_type,
            product,
            price=price,
            trigger_price=trigger,
            tag=tag,
            validity=validity,
            terms={"disclosed": _whole(form, "disclosedQuantity")},
        )
        return _taken(order)

    async def _modify(self, request: Request) -> Response:
        form = await form_of(request)
        order = self._order(form.get("appOrderID"), form.get("orderUniqueIdentifier"))
        price_type = _one_of(PRICE_TYPES, form, "modifiedOrderType")
        if form.get("modifiedProductType") != order.product.value:
            raise Invalid("modifiedProductType is invalid")
        try:
            self._xts.exchange.modify(
                order.order_id,
                quantity=_whole(form, "modifiedOrderQuantity"),
                price=_number(form, "modifiedLimitPrice") if price_type.has_price else 0.0,
                trigger_price=_number(form, "modifiedStopPrice") if price_type.has_trigger else 0.0,
                price_type=price_type,
            )
        except Refusal as refused:
            raise Invalid(str(refused)) from None
        return _taken(order)

    async def _cancel(self, request: Request) -> Response:
        query = request.query_params
        order = self._order(query.get("appOrderID"), query.get("orderUniqueIdentifier"))
        try:
            self._xts.exchange.cancel(order.order_id)
        except Refusal as refused:
            raise Invalid(str(refused)) from None
        return _taken(order)

    def _order(self, number: Any, identifier: Any) -> Order:
        order = self._xts.order(str(number))
        if order is None or str(identifier or "") != order.tag:
            raise Invalid("Order not found")
        return order

    def _market(self, form: Form) -> Market:
        """What a request names by segment and number; numbers are numbers here."""
        codes = {name: code for code, name in xts_wire.SEGMENTS.values()}
        name = (codes.get(form.get("exchangeSegment", ""), 0), form.get("exchangeInstrumentID"))
        market = self._xts.names.find(name) if isinstance(name[1], int) else None  # type: ignore[arg-type]
        if market is None:
            raise Invalid("exchangeInstrumentID is invalid")
        return market

    # --- books --------------------------------------------------------------------------------------------------------

    async def _order_book(self, request: Request) -> Response:
        rows = [msgspec.Raw(row) for row in self._xts.order_rows()]
        return self._book(rows, "orders", "Success order book")

    async def _trade_book(self, request: Request) -> Response:
        iso = self._xts.variant.iso
        rows = [
            xts_rows.trade_row(trade, self._xts.order_row(order), iso) for trade, order in self._xts.todays_trades()
        ]
        return self._book(rows, "tradebook", "Success trade book")

    def _book(self, rows: list[Any], kind: str, text: str) -> Response:
        """Some hosts tell an empty book by an error."""
        if not rows and self._xts.variant.empty_by_error:
            return failure(f"e-{kind}-0005", "Data Not Available")
        return success(rows, "s-user-0001", text)

    async def _positions(self, request: Request) -> Response:
        if request.query_params.get("dayOrNet") not in ("NetWise", "DayWise"):
            raise Invalid("dayOrNet is invalid")
        owner = self._xts.user_id
        rows = [xts_rows.position_row(each.row, each.market, each.token, owner) for each in self._xts.positions()]
        if not rows and self._xts.variant.empty_by_error:
            return failure("e-portfolio-0005", "Data Not Available")
        return success(rows if self._xts.variant.bare_positions else {"positionList": rows}, "s-portfolio-0001")

    async def _holdings(self, request: Request) -> Response:
        owner = self._xts.user_id
        rows = [xts_rows.holding_row(each.row, each.token, used, owner) for each, used in self._xts.holdings()]
        if not rows and self._xts.variant.empty_by_error:
            return failure("e-holdings-0005", "Data Not Available")
        return success({"RMSHoldings": {"Holdings": {row["ISIN"]: row for row in rows}}}, "s-portfolio-0001")

    async def _funds(self, request: Request) -> Response:
        return success(xts_rows.balance(self._xts.portfolio.funds(), self._xts.user_id), "s-user-0001")

    async def _convert(self, request: Request) -> Response:
        form = await form_of(request)
        market = self._market(form)
        old, new = (_one_of(PRODUCTS, form, name) for name in ("oldProductType", "newProductType"))
        if not self._xts.portfolio.convert(market.contract, old, new, _whole(form, "targetQty")):
            raise Invalid("targetQty is more than the position has")
        return success({}, "s-portfolio-0001", "Position conversion successful")

    async def _margin(self, request: Request) -> Response:
        total = 0.0
        for row in (await form_of(request)).get("portfolio") or []:
            market = self._xts.names.find((row.get("exchange"), row.get("exchangeInstrumentId")))
            if market is None:
                raise Invalid("exchangeInstrumentId is invalid")
            product, action = _one_of(PRODUCTS, row, "productType"), _one_of(SIDES, row, "orderSide")
            wish = Wish(action, _whole(row, "quantity"), product, float(row.get("price") or 0))
            total += self._xts.portfolio.required(market, wish)
        told = {"IsValid": True, "MarginRequired": round(total, 2), "MarginShortfall": 0, "ErrorMessage": ""}
        return success({"brokerageDeatils": told}, "s-calculatemargin-0001")


def _taken(order: Order) -> Response:
    told = {"AppOrderID": int(order.order_id), "OrderUniqueIdentifier": order.tag, "ClientID": order.owner}
    return success(told, "s-orders-0001", "Request sent")


def _one_of(known: dict[str, T], form: Form, name: str) -> T:
    if (value := known.get(str(form.get(name, "")))) is None:
        raise Invalid(f"{name} is invalid")
    return value


def _whole(form: Form, name: str) -> int:
    value = form.get(name)
    if not isinstance(value, int) or value < 0:
        raise Invalid(f"{name} must be a number")
    return value


def _number(form: Form, name: str) -> float:
    value = form.get(name)
    if not isinstance(value, int | float) or not 0 < value < 1e9:
        raise Invalid(f"{name} must be a number")
    return float(value)
