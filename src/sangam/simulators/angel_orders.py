"""SmartAPI's orders, books, conversions, margins and GTT rules.

What the desk refuses (a wrong field, an unknown contract) is an error at once; what the risk checks or the exchange
refuse is an order of its own, rejected in the book."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Action, Exchange, PriceType, Product

from . import angel_rows, angel_wire
from .angel_rest import SECURE, failure, form_of, success
from .desk import Refusal
from .market import Market
from .orders import Order, Validity
from .portfolio import Wish
from .retail import Invalid
from .triggers import Trigger, Triggers

if TYPE_CHECKING:
    from .angel import Angel

MAX_TAG = 19
PRODUCTS = {theirs: ours for ours, theirs in angel_rows.PRODUCT_TYPES.items()} | {"MARGIN": Product.CNC}
PRICE_TYPES = {theirs: ours for ours, theirs in angel_rows.ORDER_TYPES.items()}
GTT_STATUSES = {"active": "NEW", "triggered": "SENTTOEXCHANGE", "deleted": "CANCELLED"}

Form = dict[str, Any]
T = TypeVar("T")


class AngelOrders:
    def __init__(self, angel: "Angel") -> None:
        self._angel = angel
        self.triggers = Triggers(angel.exchange, self._fire)

    def routes(self) -> list[BaseRoute]:
        signed, write, post = self._angel.signed, self._angel.write, ["POST"]
        orders, gtt = f"{SECURE}/order/v1", f"{SECURE}/gtt/v1"
        rules = (("createRule", self._create), ("modifyRule", self._change), ("cancelRule", self._delete))
        return [
            Route(f"{orders}/placeOrder", write(self._place), methods=post),
            Route(f"{orders}/modifyOrder", write(self._modify), methods=post),
            Route(f"{orders}/cancelOrder", write(self._cancel), methods=post),
            Route(f"{orders}/getOrderBook", signed(self._order_book, "orderbook")),
            Route(f"{orders}/getTradeBook", signed(self._trade_book, "tradebook")),
            Route(f"{orders}/getPosition", signed(self._positions, "positions")),
            Route(f"{orders}/details/{{unique}}", signed(self._details, "details")),
            Route(f"{orders}/convertPosition", write(self._convert, "convert"), methods=post),
            Route(f"{SECURE}/portfolio/v1/getHolding", signed(self._holdings, "holdings")),
            Route(f"{SECURE}/portfolio/v1/getAllHolding", signed(self._all_holdings, "holdings")),
            Route(f"{SECURE}/user/v1/getRMS", signed(self._funds, "funds")),
            Route(f"{SECURE}/margin/v1/batch", signed(self._margin, "margin"), methods=post),
            # The documentation writes rules without the service's name, the SDK with it.
            *(
                Route(f"{prefix}{gtt}/{name}", write(take, "gtt"), methods=post)
                for prefix in ("", "/gtt-service")
                for name, take in rules
            ),
            Route(f"{gtt}/ruleDetails", signed(self._rule, "rules"), methods=post),
            Route(f"{gtt}/ruleList", signed(self._rules, "rules"), methods=post),
        ]

    # --- orders -------------------------------------------------------------------------------------------------------

    async def _place(self, request: Request) -> Response:
        form = await form_of(request)
        variety = _one_of({name: name for name in ("NORMAL", "STOPLOSS", "AMO")}, form, "variety", "AB1008")
        order = self.enter(form, "AMO" if variety == "AMO" else "")
        told = {"script": form["tradingsymbol"], "orderid": order.order_id}
        return success(told | {"uniqueorderid": angel_rows.unique_id(order.order_id)})

    def enter(self, form: Form, variety: str = "") -> Order:
        """Let an order in. Raises Invalid."""
        market = self._market(form)
        action = _one_of({each.value: each for each in Action}, form, "transactiontype", "AB2000")
        product = _one_of(PRODUCTS, form, "producttype", "AB1012")
        price_type, price, trigger, quantity = _terms(form)
        if product is (Product.NRML if market.contract.expiry is None else Product.CNC):
            raise Invalid("Invalid Product Type", "AB1012")
        if len(tag := form.get("ordertag", "")) > MAX_TAG:
            raise Invalid("ordertag length should be less than 20 characters", "AB4008")
        validity = _one_of({each.value: each for each in Validity}, form, "duration", "AB2000")
        if validity is Validity.IOC and market.contract.exchange is Exchange.MCX:
            raise Invalid("IOC orders are not allowed for commodities segment", "AB2000")
        return self._angel.enter(
            market,
            action,
            quantity,
            price_type,
            product,
            price=price,
            trigger_price=trigger,
            tag=tag,
            validity=validity,
            variety=variety,
            terms={"disclosedquantity": form.get("disclosedquantity") or "0"},
            held=variety == "AMO",
        )

    async def _modify(self, request: Request) -> Response:
        form = await form_of(request)
        order = self._order(form)
        price_type, price, trigger, quantity = _terms(form)
        try:
            self._angel.exchange.modify(
                order.order_id, quantity=quantity, price=price, trigger_price=trigger, price_type=price_type
            )
        except Refusal as refused:
            raise Invalid(f"Order not found: {refused}", "AB1013") from None
        return self._changed(order)

    async def _cancel(self, request: Request) -> Response:
        form = await form_of(request)
        order = self._order(form)
        if form.get("variety") != angel_rows.variety(order):
            raise Invalid("Invalid Order Variety", "AB1008")
        try:
            self._angel.exchange.cancel(order.order_id)
        except Refusal as refused:
            raise Invalid(f"Order not found: {refused}", "AB1013") from None
        return self._changed(order)

    def _order(self, form: Form) -> Order:
        order = self._angel.order(str(form.get("orderid", "")))
        if order is None:
            raise Invalid("Order not found", "AB1013")
        return order

    def _changed(self, order: Order) -> Response:
        return success({"orderid": order.order_id, "uniqueorderid": angel_rows.unique_id(order.order_id)})

    def _market(self, form: Form) -> Market:
        """What an order names: segment, token and symbol must agree."""
        market = self._angel.names.find((form.get("exchange", ""), form.get("symboltoken", "")))
        if market is None or angel_wire.tradingsymbol(market.contract) != form.get("tradingsymbol"):
            raise Invalid("Symbol Not Found", "AB1009")
        return market

    # --- books: an empty one is null ----------------------------------------------------------------------------------

    async def _order_book(self, request: Request) -> Response:
        return success([msgspec.Raw(row) for row in self._angel.order_rows()] or None)

    async def _details(self, request: Request) -> Response:
        unique = request.path_params["unique"]
        for order in self._angel.todays_orders():
            if angel_rows.unique_id(order.order_id) == unique:
                return success(self._angel.order_row(order))
        return failure("AB1013", "Order not found")

    async def _trade_book(self, request: Request) -> Response:
        made = self._angel.todays_trades()
        rows = [angel_rows.trade_row(trade, order, self._angel.listed(order)[0]) for trade, order in made]
        return success(rows or None)

    async def _positions(self, request: Request) -> Response:
        found = self._angel.positions()
        rows = [angel_rows.position_row(each.row, each.market, self._angel.token(each.market)) for each in found]
        return success(rows or None)

    async def _holdings(self, request: Request) -> Response:
        return success(self._held() or None)

    async def _all_holdings(self, request: Request) -> Response:
        rows = self._held()
        value, cost = (sum(row[name] * row["quantity"] for row in rows) for name in ("ltp", "averageprice"))
        total = {"totalholdingvalue": round(value), "totalinvvalue": round(cost)}
        total |= {"totalprofitandloss": round(value - cost, 2), "totalpnlpercentage": 0}
        return success({"holdings": rows, "totalholding": total})

    def _held(self) -> list[angel_rows.Row]:
        token = self._angel.token
        return [
            angel_rows.holding_row(each.row, each.market, token(each.market), used)
            for each, used in self._angel.holdings()
        ]

    async def _funds(self, request: Request) -> Response:
        return success(angel_rows.funds_row(self._angel.portfolio.funds()))

    async def _convert(self, request: Request) -> Response:
        form = await form_of(request)
        market = self._market(form)
        old, new = (_one_of(PRODUCTS, form, name, "AB1012") for name in ("oldproducttype", "newproducttype"))
        quantity = _whole(form, "quantity")
        if form.get("type") != "DAY" or not self._angel.portfolio.convert(market.contract, old, new, quantity):
            raise Invalid("Position conversion failed", "AB1017")
        return success(None)

    async def _margin(self, request: Request) -> Response:
        asked = (await form_of(request)).get("positions") or []
        if not 0 < len(asked) <= 50:
            raise Invalid("At most 50 positions", "AB2000")
        total = span = 0.0
        for row in asked:
            market = self._angel.names.find((row.get("exchange", ""), row.get("token", "")))
            if market is None:
                raise Invalid("Failed to get symbol details", "AB1018")
            product = _one_of(PRODUCTS, row, "productType", "AB1012")
            wish = Wish(Action(row["tradeType"]), int(row["qty"]), product, float(row.get("price") or 0))
            total += (need := self._angel.portfolio.required(market, wish))
            span += need if market.contract.expiry is not None else 0.0
        parts = {"netPremium": 0, "spanMargin": span, "marginBenefit": 0, "deliveryMargin": 0}
        parts |= {"nonNFOMargin": 0, "totOptionsPremium": 0}
        return success({"totalMarginRequired": total, "marginComponents": parts})

    # --- GTT ----------------------------------------------------------------------------------------------------------

    async def _create(self, request: Request) -> Response:
        form = await form_of(request)
        market = self._market(form)
        if form.get("exchange") not in ("NSE", "BSE"):
            raise Invalid("Invalid Exchange Segment", "AB9010")
        if form.get("producttype") not in ("DELIVERY", "MARGIN"):
            raise Invalid("Invalid Product Type", "AB9015")
        trigger = self.triggers.add(market, [_number(form, "triggerprice")], [form])
        return success({"id": str(trigger.number)})

    async def _change(self, request: Request) -> Response:
        form = await form_of(request)
        trigger = self._waiting(form)
        self.triggers.change(trigger, trigger.market, [_number(form, "triggerprice")], [trigger.legs[0] | form])
        return success({"id": str(trigger.number)})

    async def _delete(self, request: Request) -> Response:
        trigger = self._waiting(await form_of(request))
        self.triggers.delete(trigger)
        return success({"id": str(trigger.number)})

    async def _rule(self, request: Request) -> Response:
        return success(self._row(self._numbered(await form_of(request))))

    async def _rules(self, request: Request) -> Response:
        form = await form_of(request)
        rows = [self._row(trigger) for trigger in self.triggers.all.values()]
        wanted = [row for row in rows if row["status"] in form["status"] or "FORALL" in form["status"]]
        begin = (form["page"] - 1) * form["count"]
        return success(wanted[begin : begin + form["count"]] or None)

    def _waiting(self, form: Form) -> Trigger:
        trigger = self._numbered(form)
        named = (form.get("exchange"), form.get("symboltoken"))
        if trigger.status != "active" or self._angel.names.of(trigger.market.contract) != named:
            raise Invalid("Invalid Rule ID", "AB9013")
        return trigger

    def _numbered(self, form: Form) -> Trigger:
        trigger = self.triggers.all.get(_whole(form, "id"))
        if trigger is None:
            raise Invalid("Invalid Rule ID", "AB9013")
        return trigger

    def _row(self, trigger: Trigger) -> angel_rows.Row:
        names = ("tradingsymbol", "transactiontype", "producttype", "price", "qty", "triggerprice", "disclosedqty")
        exchange, token = self._angel.names.of(trigger.market.contract)
        return {
            "id": str(trigger.number),
            "status": GTT_STATUSES[trigger.status],
            "createddate": _zulu(trigger.created),
            "updateddate": _zulu(trigger.updated),
            "expirydate": _zulu(trigger.created + 1000 * int(timedelta(days=365).total_seconds())),
            "clientid": self._angel.user_id,
            "symboltoken": token,
            "exchange": exchange,
            **{name: trigger.legs[0].get(name) for name in names},
        }

    def _fire(self, trigger: Trigger, leg: int) -> None:
        form = trigger.legs[leg]
        self.enter(form | {"variety": "NORMAL", "ordertype": "LIMIT", "duration": "DAY", "quantity": form["qty"]})


def _terms(form: Form) -> tuple[PriceType, float, float, int]:
    """Type, price, trigger and quantity. A stop is of variety STOPLOSS. Raises Invalid."""
    price_type = _one_of(PRICE_TYPES, form, "ordertype", "AB2000")
    if form.get("variety") != "AMO" and (form.get("variety") == "STOPLOSS") != price_type.has_trigger:
        raise Invalid("Invalid Order Variety", "AB1008")
    price = _number(form, "price") if price_type.has_price else 0.0
    trigger = _number(form, "triggerprice") if price_type.has_trigger else 0.0
    return price_type, price, trigger, _whole(form, "quantity")


def _one_of(known: dict[str, T], form: Form, name: str, code: str) -> T:
    if (value := known.get(form.get(name, ""))) is None:
        raise Invalid(f"Invalid {name}", code)
    return value


def _whole(form: Form, name: str) -> int:
    if not (text := str(form.get(name, ""))).isdecimal():
        raise Invalid(f"Invalid {name}", "AB9013" if name == "id" else "AB2000")
    return int(text)


def _number(form: Form, name: str) -> float:
    try:
        value = float(form.get(name, ""))
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise Invalid(f"Invalid {name}", "AB2000")
    return value


def _zulu(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
