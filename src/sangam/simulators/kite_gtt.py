"""Kite's GTT: triggers that wait at the broker, fire on the exchange's last price and place their order."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.clock import ist_from_ms
from sangam.model.enums import Action, OrderStatus, Product

from .kite_orders import KiteOrders
from .kite_rest import error, form_of, success
from .kite_rows import APP_ID
from .kite_wire import kite_exchange, moment, tradingsymbol
from .market import Market
from .retail import Invalid
from .triggers import Trigger, Triggers

if TYPE_CHECKING:
    from .zerodha import Zerodha

LEGS = {"single": 1, "two-leg": 2}
KINDS = {legs: kind for kind, legs in LEGS.items()}


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


class KiteGtt:
    def __init__(self, kite: "Zerodha", orders: KiteOrders) -> None:
        self._kite = kite
        self._orders = orders
        self.triggers = Triggers(kite.exchange, self._fire, first=112_001)
        self.check = self.triggers.check

    def routes(self) -> list[BaseRoute]:
        signed, write = self._kite.signed, self._kite.write
        return [
            Route("/gtt/triggers", signed(self._all)),
            Route("/gtt/triggers", write(self._place, "default"), methods=["POST"]),
            Route("/gtt/triggers/{number:int}", signed(self._one)),
            Route("/gtt/triggers/{number:int}", write(self._modify, "default"), methods=["PUT"]),
            Route("/gtt/triggers/{number:int}", write(self._delete, "default"), methods=["DELETE"]),
        ]

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

    # --- routes -------------------------------------------------------------------------------------------------------

    async def _all(self, request: Request) -> Response:
        return success([self._row(trigger) for trigger in self.triggers.all.values() if trigger.status != "deleted"])

    async def _one(self, request: Request) -> Response:
        trigger = self.triggers.all.get(request.path_params["number"])
        if trigger is None:
            return error(404, "GeneralException", "Trigger does not exist.")
        return success(self._row(trigger))

    async def _place(self, request: Request) -> Response:
        trigger = self.triggers.add(*await self._asked(request))
        return success({"trigger_id": trigger.number})

    async def _modify(self, request: Request) -> Response:
        trigger = self._waiting(request)
        self.triggers.change(trigger, *await self._asked(request))
        return success({"trigger_id": trigger.number})

    async def _delete(self, request: Request) -> Response:
        trigger = self._waiting(request)
        self.triggers.delete(trigger)
        return success({"trigger_id": trigger.number})

    def _waiting(self, request: Request) -> Trigger:
        trigger = self.triggers.waiting(request.path_params["number"])
        if trigger is None:
            raise Invalid("Trigger does not exist or is not active.", "GeneralException", 404)
        return trigger

    async def _asked(self, request: Request) -> tuple[Market, list[float], list[Leg]]:
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
        return market, condition.trigger_values, legs

    def _row(self, trigger: Trigger) -> dict[str, Any]:
        contract = trigger.market.contract
        condition = {
            "exchange": kite_exchange(contract),
            "tradingsymbol": tradingsymbol(contract),
            "trigger_values": trigger.values,
            "last_price": trigger.last_price,
            "instrument_token": self._kite.tokens.of(contract),
        }
        expires = ist_from_ms(trigger.created) + timedelta(days=365)
        orders = zip(trigger.legs, trigger.results, strict=True)
        return {
            "id": trigger.number,
            "user_id": self._kite.user_id,
            "parent_trigger": None,
            "type": KINDS[len(trigger.legs)],
            "created_at": moment(trigger.created),
            "updated_at": moment(trigger.updated),
            "expires_at": f"{expires:%Y-%m-%d %H:%M:%S}",
            "status": trigger.status,
            "condition": condition,
            "orders": [msgspec.to_builtins(leg) | {"result": result} for leg, result in orders],
            "meta": {},
        }
