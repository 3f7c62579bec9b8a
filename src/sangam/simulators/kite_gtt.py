"""Kite's GTT: triggers that wait at the broker, fire on the exchange's last price and place their order."""

from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.clock import ist_from_ms
from sangam.model.enums import Action, OrderStatus, Product

from .kite_forms import Invalid
from .kite_orders import KiteOrders
from .kite_rest import error, form_of, success
from .kite_rows import APP_ID
from .kite_wire import moment
from .market import Market

if TYPE_CHECKING:
    from .kite_rest import KiteRest
    from .zerodha import Zerodha

LEGS = {"single": 1, "two-leg": 2}


class Leg(msgspec.Struct):
    """One order of a trigger, as the client wrote it."""

    exchange: str
    tradingsymbol: str
    transaction_type: Action
    quantity: int
    order_type: str
    product: Product
    price: float


class Condition(msgspec.Struct):
    exchange: str
    tradingsymbol: str
    trigger_values: list[float]
    last_price: float


class Trigger:
    """`results` has one place per leg, filled when it fired."""

    def __init__(self, number: int, kind: str, condition: Condition, legs: list[Leg], market: Market, now: int) -> None:
        self.number = number
        self.created = self.updated = now
        self.status = "active"
        self.change(kind, condition, legs, market)

    def change(self, kind: str, condition: Condition, legs: list[Leg], market: Market) -> None:
        self.kind, self.condition, self.legs, self.market = kind, condition, legs, market
        self.results: list[dict[str, Any] | None] = [None] * len(legs)

    def fired(self) -> int | None:
        """Which leg the last price sets off: of two the lower or the upper, of one from the side it came from."""
        price, values = self.market.rupees(self.market.ltp), self.condition.trigger_values
        if self.kind == "two-leg":
            return 0 if price <= min(values) else 1 if price >= max(values) else None
        above = values[0] > self.condition.last_price
        return 0 if (price >= values[0] if above else price <= values[0]) else None


class KiteGtt:
    def __init__(self, kite: "Zerodha", rest: "KiteRest", orders: KiteOrders) -> None:
        self._kite = kite
        self._signed = rest.signed
        self._orders = orders
        self._numbers = count(112_001)
        self.triggers: dict[int, Trigger] = {}

    def routes(self) -> list[BaseRoute]:
        write = self._orders.write
        return [
            Route("/gtt/triggers", self._signed(self._all)),
            Route("/gtt/triggers", write(self._place, "default"), methods=["POST"]),
            Route("/gtt/triggers/{number:int}", self._signed(self._one)),
            Route("/gtt/triggers/{number:int}", write(self._modify, "default"), methods=["PUT"]),
            Route("/gtt/triggers/{number:int}", write(self._delete, "default"), methods=["DELETE"]),
        ]

    def check(self) -> None:
        """Fire what the market reached."""
        for trigger in self.triggers.values():
            if trigger.status == "active" and (leg := trigger.fired()) is not None:
                self._end(trigger, "triggered")
                self._fire(trigger, leg)

    def _fire(self, trigger: Trigger, number: int) -> None:
        leg = trigger.legs[number]
        form = {name: str(value) for name, value in msgspec.to_builtins(leg).items()}
        try:
            order = self._orders.enter(form)
            failed, order_id, reason = order.status is OrderStatus.REJECTED, order.order_id, order.reason
        except Invalid as invalid:
            failed, order_id, reason = True, "", str(invalid)
        trigger.results[number] = msgspec.to_builtins(leg) | {
            "account_id": self._kite.user_id,
            "validity": "DAY",
            "meta": f'{{"app_id":{APP_ID},"gtt":{trigger.number}}}',
            "timestamp": moment(trigger.updated),
            "triggered_at": trigger.market.rupees(trigger.market.ltp),
            "order_result": {
                "status": "failed" if failed else "success",
                "order_id": order_id,
                "rejection_reason": reason,
            },
        }

    def _end(self, trigger: Trigger, status: str) -> None:
        trigger.status, trigger.updated = status, self._kite.exchange.now_ms
        self._kite.exchange.unwatch(trigger.market)

    # --- routes -------------------------------------------------------------------------------------------------------

    async def _all(self, request: Request) -> Response:
        return success([self._row(trigger) for trigger in self.triggers.values() if trigger.status != "deleted"])

    async def _one(self, request: Request) -> Response:
        trigger = self.triggers.get(request.path_params["number"])
        if trigger is None:
            return error(404, "GeneralException", "Trigger does not exist.")
        return success(self._row(trigger))

    async def _place(self, request: Request) -> Response:
        kind, condition, legs, market = await self._asked(request)
        now = self._kite.exchange.now_ms
        trigger = Trigger(next(self._numbers), kind, condition, legs, market, now)
        self.triggers[trigger.number] = trigger
        self._kite.exchange.watch(market)
        return success({"trigger_id": trigger.number})

    async def _modify(self, request: Request) -> Response:
        trigger = self._waiting(request)
        kind, condition, legs, market = await self._asked(request)
        self._kite.exchange.unwatch(trigger.market)
        trigger.change(kind, condition, legs, market)
        trigger.updated = self._kite.exchange.now_ms
        self._kite.exchange.watch(market)
        return success({"trigger_id": trigger.number})

    async def _delete(self, request: Request) -> Response:
        trigger = self._waiting(request)
        self._end(trigger, "deleted")
        return success({"trigger_id": trigger.number})

    def _waiting(self, request: Request) -> Trigger:
        trigger = self.triggers.get(request.path_params["number"])
        if trigger is None or trigger.status != "active":
            raise Invalid("Trigger does not exist or is not active.", "GeneralException", 404)
        return trigger

    async def _asked(self, request: Request) -> tuple[str, Condition, list[Leg], Market]:
        form = await form_of(request)
        kind = form.get("type", "")
        if kind not in LEGS:
            raise Invalid("Invalid `type`.")
        try:
            condition = msgspec.json.decode(form.get("condition", ""), type=Condition)
            legs = msgspec.json.decode(form.get("orders", ""), type=list[Leg])
        except msgspec.DecodeError as wrong:
            raise Invalid(f"Invalid trigger: {wrong}") from None
        if not len(condition.trigger_values) == len(legs) == LEGS[kind]:
            raise Invalid(f"A {kind} trigger has {LEGS[kind]} trigger values and orders.")
        if any(leg.order_type != "LIMIT" or leg.product is Product.MIS or leg.quantity <= 0 for leg in legs):
            raise Invalid("Invalid `orders`. GTT takes LIMIT orders of CNC and NRML.")
        market = self._kite.named(f"{condition.exchange}:{condition.tradingsymbol}")
        if market is None or market.is_index:
            raise Invalid("Invalid `tradingsymbol`.")
        if kind == "two-leg" and not condition.trigger_values[0] < condition.last_price < condition.trigger_values[1]:
            raise Invalid("Invalid trigger values: the last price must be between them.")
        return kind, condition, legs, market

    def _row(self, trigger: Trigger) -> dict[str, Any]:
        token = self._kite.token(*trigger.market.contract.id)
        expires = ist_from_ms(trigger.created) + timedelta(days=365)
        orders = zip(trigger.legs, trigger.results, strict=True)
        return {
            "id": trigger.number,
            "user_id": self._kite.user_id,
            "parent_trigger": None,
            "type": trigger.kind,
            "created_at": moment(trigger.created),
            "updated_at": moment(trigger.updated),
            "expires_at": f"{expires:%Y-%m-%d %H:%M:%S}",
            "status": trigger.status,
            "condition": msgspec.to_builtins(trigger.condition) | {"instrument_token": token},
            "orders": [msgspec.to_builtins(leg) | {"result": result} for leg, result in orders],
            "meta": {},
        }
