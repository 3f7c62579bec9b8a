"""Dhan's orders, books, margins and forever orders."""

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Action, Exchange, Product

from . import dhan_rows, dhan_wire
from .desk import Refusal
from .dhan_rest import BAD_INPUT, answer, body_of, error
from .market import Market
from .orders import Order, Validity
from .portfolio import Wish
from .retail import Invalid, largest
from .triggers import Trigger, Triggers

if TYPE_CHECKING:
    from .dhan import Dhan

T = TypeVar("T")

MAX_TAG = 25
NO_SUCH_ORDER = "Incorrect request for order and cannot be processed"

PRODUCTS = {name: product for product, name in dhan_rows.PRODUCTS.items()}
PRICE_TYPES = {name: kind for kind, name in dhan_rows.PRICE_TYPES.items()}
ACTIONS = {action.value: action for action in Action}
VALIDITIES = {validity.value: validity for validity in Validity}

Body = dict[str, Any]


class DhanOrders:
    def __init__(self, dhan: "Dhan") -> None:
        self._dhan = dhan
        self.triggers = Triggers(dhan.exchange, self._fire, first=5_132_208_051_112)
        self.check = self.triggers.check

    def routes(self) -> list[BaseRoute]:
        signed, write, v2 = self._dhan.signed, self._dhan.write, "/v2"
        multi = [Route(f"{v2}/margincalculator/multi", signed(self._margins), methods=["POST"])]
        return [
            Route(f"{v2}/orders", signed(self._book)),
            Route(f"{v2}/orders", write(self._place), methods=["POST"]),
            Route(f"{v2}/orders/slicing", write(self._slices), methods=["POST"]),
            Route(f"{v2}/orders/external/{{tag}}", signed(self._by_tag)),
            Route(f"{v2}/orders/{{order_id}}", signed(self._one)),
            Route(f"{v2}/orders/{{order_id}}", write(self._modify), methods=["PUT"]),
            Route(f"{v2}/orders/{{order_id}}", write(self._cancel), methods=["DELETE"]),
            Route(f"{v2}/trades", signed(self._trades)),
            Route(f"{v2}/trades/{{order_id}}", signed(self._order_trades)),
            Route(f"{v2}/positions", signed(self._positions)),
            Route(f"{v2}/positions/convert", write(self._convert), methods=["POST"]),
            Route(f"{v2}/holdings", signed(self._holdings)),
            Route(f"{v2}/fundlimit", signed(self._funds)),
            Route(f"{v2}/margincalculator", signed(self._margin), methods=["POST"]),
            *([] if self._dhan.sandbox else multi),
            Route(f"{v2}/forever/orders", signed(self._forever)),
            Route(f"{v2}/forever/orders", write(self._place_forever), methods=["POST"]),
            Route(f"{v2}/forever/orders/{{number:int}}", write(self._modify_forever), methods=["PUT"]),
            Route(f"{v2}/forever/orders/{{number:int}}", write(self._cancel_forever), methods=["DELETE"]),
        ]

    # --- orders -------------------------------------------------------------------------------------------------------

    async def _place(self, request: Request) -> Response:
        return _taken(self._enter(await body_of(request)))

    async def _slices(self, request: Request) -> Response:
        """An order above the freeze quantity, cut; one id for each."""
        body = await body_of(request)
        market = self._market(body)
        lot = market.contract.lot_size
        quantity = _whole(body, "quantity")
        most = largest(market, quantity) // lot * lot
        parts = [min(most, quantity - done) for done in range(0, quantity, most)]
        orders = [self._enter(body | {"quantity": part}) for part in parts]
        return answer([{"orderId": order.order_id, "orderStatus": dhan_rows.status(order)} for order in orders])

    def _enter(self, body: Body) -> Order:
        """Let an order in. Raises Invalid."""
        if body.get("dhanClientId") != self._dhan.user_id or "" in body.values():
            raise Invalid(BAD_INPUT)  # an empty text in place of a field that does not apply is refused
        tag = str(body.get("correlationId") or "")
        if len(tag) > MAX_TAG or not all(letter.isalnum() or letter in " _-" for letter in tag):
            raise Invalid(BAD_INPUT)
        action = _one_of(ACTIONS, body, "transactionType")
        price_type = _one_of(PRICE_TYPES, body, "orderType")
        product = _one_of(PRODUCTS, body, "productType")
        market, quantity = self._market(body), _whole(body, "quantity")
        shares = market.contract.exchange in (Exchange.NSE, Exchange.BSE)
        if (product is Product.CNC) > shares or (product is Product.NRML and shares):
            raise Invalid(BAD_INPUT)
        price = _price(body, "price") if price_type.has_price else 0.0
        trigger = _price(body, "triggerPrice") if price_type.has_trigger else 0.0
        disclosed = int(body.get("disclosedQuantity") or 0)
        return self._dhan.enter(
            market,
            action,
            quantity,
            price_type,
            product,
            price=price,
            trigger_price=trigger,
            tag=tag,
            validity=_one_of(VALIDITIES, body, "validity"),
            terms={"disclosed_quantity": disclosed} if disclosed else {},
            held=bool(body.get("afterMarketOrder")),
        )

    async def _modify(self, request: Request) -> Response:
        order, body = self._order(request), await body_of(request)
        price_type = _one_of(PRICE_TYPES, body, "orderType")
        _one_of(VALIDITIES, body, "validity")
        try:
            self._dhan.exchange.modify(
                order.order_id,
                quantity=_whole(body, "quantity") if body.get("quantity") else order.quantity,
                price=_price(body, "price") if price_type.has_price else 0.0,
                trigger_price=_price(body, "triggerPrice") if price_type.has_trigger else 0.0,
                price_type=price_type,
            )
        except Refusal as refused:
            raise Invalid(str(refused), "DH-906") from None
        return answer({"orderId": order.order_id, "orderStatus": "TRANSIT"})

    async def _cancel(self, request: Request) -> Response:
        order = self._order(request)
        try:
            self._dhan.exchange.cancel(order.order_id)
        except Refusal as refused:
            raise Invalid(str(refused), "DH-906") from None
        return answer({"orderId": order.order_id, "orderStatus": "CANCELLED"}, 202)

    def _order(self, request: Request) -> Order:
        order = self._dhan.order(request.path_params["order_id"])
        if order is None:
            raise Invalid(NO_SUCH_ORDER, "DH-906")
        return order

    def _market(self, body: Body) -> Market:
        market = self._dhan.names.find((str(body.get("exchangeSegment")), str(body.get("securityId"))))
        if market is None or market.is_index:
            raise Invalid(BAD_INPUT)
        return market

    # --- books --------------------------------------------------------------------------------------------------------

    async def _book(self, request: Request) -> Response:
        return Response(b"[" + b",".join(self._dhan.order_rows()) + b"]", media_type="application/json")

    async def _one(self, request: Request) -> Response:
        """An order that is not known is an empty list."""
        order = self._dhan.order(request.path_params["order_id"])
        return answer([] if order is None else [self._dhan.order_row(order)])

    async def _by_tag(self, request: Request) -> Response:
        ledger, tag = self._dhan.exchange.ledger, request.path_params["tag"]
        found = ledger.tagged(self._dhan.user_id, tag)
        if not found or self._dhan.in_transit:
            return error(404, "DH-906", NO_SUCH_ORDER)
        return answer(self._dhan.order_row(found[-1]))

    async def _trades(self, request: Request) -> Response:
        return answer([self._dhan.trade_row(trade, order) for trade, order in self._dhan.todays_trades()])

    async def _order_trades(self, request: Request) -> Response:
        order = self._order(request)
        trades = self._dhan.exchange.ledger.trades_of(order.order_id)
        return answer([self._dhan.trade_row(trade, order) for trade in trades])

    async def _positions(self, request: Request) -> Response:
        rows = self._dhan.positions()
        return answer(
            [
                dhan_rows.position_row(row, market, self._dhan.security_id(market), self._dhan.user_id)
                for row, market, _ in rows
            ]
        )

    async def _convert(self, request: Request) -> Response:
        body = await body_of(request)
        old, new = _one_of(PRODUCTS, body, "fromProductType"), _one_of(PRODUCTS, body, "toProductType")
        if body.get("positionType") not in ("LONG", "SHORT"):
            raise Invalid(BAD_INPUT)
        contract = self._market(body).contract
        if not self._dhan.portfolio.convert(contract, old, new, _whole(body, "convertQty")):
            raise Invalid("There is no such quantity to convert.", "DH-906")
        return Response(status_code=202)

    async def _holdings(self, request: Request) -> Response:
        """Without any there is an error, but not in the sandbox."""
        rows = [
            dhan_rows.holding_row(row, market, self._dhan.security_id(market), used)
            for (row, market, _), used in self._dhan.holdings()
        ]
        if not rows and not self._dhan.sandbox:
            return error(500, "DH-1111", "No holdings available")
        return answer(rows)

    async def _funds(self, request: Request) -> Response:
        return answer(dhan_rows.funds_row(self._dhan.portfolio.funds(), self._dhan.user_id))

    async def _margin(self, request: Request) -> Response:
        total, available = self._required(await body_of(request)), self._dhan.portfolio.funds().available
        return answer(
            {
                "totalMargin": total,
                "spanMargin": 0.0,
                "exposureMargin": 0.0,
                "availableBalance": round(available, 2),
                "variableMargin": total,
                "insufficientBalance": round(max(total - available, 0.0), 2),
                "brokerage": 20.0,
                "leverage": "5.00",
            }
        )

    async def _margins(self, request: Request) -> Response:
        body = await body_of(request)
        scripts = body.get("scripList")
        if not isinstance(scripts, list):
            raise Invalid(BAD_INPUT)
        total = sum(self._required(each) for each in scripts)
        zeros = dict.fromkeys(("span_margin", "exposure_margin", "fo_margin", "commodity_margin"), "0.00")
        return answer({"total_margin": f"{total:.2f}", "equity_margin": f"{total:.2f}", **zeros, "currency": "INR"})

    def _required(self, body: Body) -> float:
        market, action = self._market(body), _one_of(ACTIONS, body, "transactionType")
        wish = Wish(action, _whole(body, "quantity"), _one_of(PRODUCTS, body, "productType"), float(body["price"] or 0))
        return self._dhan.portfolio.required(market, wish)

    # --- forever orders -----------------------------------------------------------------------------------------------

    async def _forever(self, request: Request) -> Response:
        return answer([row for trigger in self.triggers.all.values() for row in self._leg_rows(trigger)])

    async def _place_forever(self, request: Request) -> Response:
        body = await body_of(request)
        if body.get("dhanClientId") != self._dhan.user_id or body.get("productType") not in ("CNC", "MTF", "MARGIN"):
            raise Invalid(BAD_INPUT)
        market, legs = self._market(body), [body]
        if body.get("orderFlag") == "OCO":
            names = ("price", "triggerPrice", "quantity")
            legs.append(body | {name: body.get(f"{name}1") for name in names})
        trigger = self.triggers.add(market, [_price(leg, "triggerPrice") for leg in legs], legs)
        return answer({"orderId": str(trigger.number), "orderStatus": "PENDING"})

    async def _modify_forever(self, request: Request) -> Response:
        trigger, body = self._waiting(request), await body_of(request)
        at = self._legs(trigger).index(str(body.get("legName")))
        changed = {name: body[name] for name in ("price", "triggerPrice", "quantity", "orderType") if name in body}
        legs = [leg | changed if number == at else leg for number, leg in enumerate(trigger.legs)]
        self.triggers.change(trigger, trigger.market, [_price(leg, "triggerPrice") for leg in legs], legs)
        return answer({"orderId": str(trigger.number), "orderStatus": "PENDING"})

    async def _cancel_forever(self, request: Request) -> Response:
        trigger = self._waiting(request)
        self.triggers.delete(trigger)
        return answer({"orderId": str(trigger.number), "orderStatus": "CANCELLED"})

    def _waiting(self, request: Request) -> Trigger:
        trigger = self.triggers.waiting(request.path_params["number"])
        if trigger is None:
            raise Invalid(NO_SUCH_ORDER, "DH-906")
        return trigger

    def _fire(self, trigger: Trigger, number: int) -> None:
        leg = trigger.legs[number]
        body = {name: leg[name] for name in ("dhanClientId", "transactionType", "exchangeSegment", "productType")}
        body |= {name: leg[name] for name in ("securityId", "quantity", "price", "validity", "orderType")}
        try:
            trigger.results[number] = self._enter(body).order_id
        except Invalid as invalid:
            trigger.results[number] = str(invalid)

    @staticmethod
    def _legs(trigger: Trigger) -> list[str]:
        """The fields that end in 1 are the target's."""
        return ["TARGET_LEG"] if len(trigger.legs) == 1 else ["STOP_LOSS_LEG", "TARGET_LEG"]

    def _leg_rows(self, trigger: Trigger) -> list[dhan_rows.Json]:
        return [
            {
                "dhanClientId": self._dhan.user_id,
                "orderId": str(trigger.number),
                "orderStatus": self._leg_status(trigger, number),
                "transactionType": leg["transactionType"],
                "exchangeSegment": leg["exchangeSegment"],
                "productType": leg["productType"],
                "orderType": "SINGLE" if len(trigger.legs) == 1 else "OCO",
                "tradingSymbol": trigger.market.contract.symbol,
                "securityId": leg["securityId"],
                "quantity": leg["quantity"],
                "price": leg["price"],
                "triggerPrice": leg["triggerPrice"],
                "legName": name,
                "createTime": dhan_wire.moment(trigger.created, utc=self._dhan.sandbox),
                "updateTime": dhan_wire.moment(trigger.updated, utc=self._dhan.sandbox),
                "exchangeTime": None,
                "drvExpiryDate": None,
                "drvOptionType": None,
                "drvStrikePrice": 0,
            }
            for number, (name, leg) in enumerate(zip(self._legs(trigger), trigger.legs, strict=True))
        ]

    @staticmethod
    def _leg_status(trigger: Trigger, number: int) -> str:
        if trigger.status == "active":
            return "CONFIRM"
        return "TRADED" if trigger.results[number] is not None else "CANCELLED"


def _taken(order: Order) -> Response:
    told = dhan_rows.status(order)
    return answer({"orderId": order.order_id, "orderStatus": "TRANSIT" if told == "PENDING" else told})


def _one_of(known: dict[str, T], body: Body, name: str) -> T:
    found = known.get(str(body.get(name)))
    if found is None:
        raise Invalid(BAD_INPUT)
    return found


def _whole(body: Body, name: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not str(value).isdecimal() or not int(str(value)):
        raise Invalid("quantity is required" if name == "quantity" else BAD_INPUT)
    return int(str(value))


def _price(body: Body, name: str) -> float:
    try:
        value = msgspec.convert(body.get(name), float, strict=False)
    except msgspec.ValidationError:
        raise Invalid(BAD_INPUT) from None
    if not 0 < value < 1e9:
        raise Invalid(BAD_INPUT)
    return value
