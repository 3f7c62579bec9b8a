"""Upstox' GTT: rules that wait at the broker, fire on the exchange's last price and place a protected limit order."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.clock import ist_from_ms
from sangam.model.enums import Action, OrderStatus, PriceType

from .market import Market
from .orders import Order, Validity
from .retail import Invalid
from .triggers import Trigger, Triggers
from .upstox_orders import Place, UpstoxOrders, asked, check_market, product_of
from .upstox_rest import success
from .upstox_wire import instrument_key, order_symbol

if TYPE_CHECKING:
    from .upstox import Upstox

PREFIX = "GTT-C"
PROTECTION = 0.01
"""How far behind the trigger the released limit is; the broker names no figure."""


class Rule(msgspec.Struct):
    strategy: Literal["ENTRY", "TARGET", "STOPLOSS"]
    trigger_type: Literal["ABOVE", "BELOW", "IMMEDIATE"]
    trigger_price: float
    trailing_gap: float | None = None
    market_protection: float | None = None


class Change(msgspec.Struct):
    type: Literal["SINGLE", "MULTIPLE"]
    quantity: int
    rules: list[Rule]
    gtt_order_id: str = ""


class New(Change, kw_only=True):
    product: str
    instrument_token: str
    transaction_type: Action


class UpstoxGtt:
    """Only entries are acted out: targets and stops of MULTIPLE are kept and told."""

    def __init__(self, upstox: "Upstox", orders: UpstoxOrders) -> None:
        self._upstox = upstox
        self._orders = orders
        self.triggers = Triggers(upstox.exchange, self._fire, first=25_280_200_021_013)
        self.check = self.triggers.check

    def routes(self) -> list[BaseRoute]:
        write = self._upstox.write
        return [
            Route("/v3/order/gtt", self._upstox.signed(self._list)),
            Route("/v3/order/gtt/place", write(self._place), methods=["POST"]),
            Route("/v3/order/gtt/modify", write(self._modify), methods=["PUT"]),
            Route("/v3/order/gtt/cancel", write(self._cancel), methods=["DELETE"]),
        ]

    # --- routes -------------------------------------------------------------------------------------------------------

    async def _list(self, request: Request) -> Response:
        """One by its id, or all."""
        if number := request.query_params.get("gtt_order_id"):
            trigger = self.triggers.all.get(_number(number))
            return success([] if trigger is None else [self._row(trigger)])
        return success([self._row(trigger) for trigger in self.triggers.all.values()])

    async def _place(self, request: Request) -> Response:
        form = asked(await request.body(), New)
        market = check_market(self._upstox.market(form.instrument_token))
        product_of(form.product, market.contract)
        trigger = self.triggers.add(market, [_entry(form).trigger_price], [form])
        return self._taken(trigger)

    async def _modify(self, request: Request) -> Response:
        """Instrument, side and product stay."""
        form = asked(await request.body(), Change)
        trigger = self._waiting(form.gtt_order_id)
        price = _entry(form).trigger_price
        kept: New = trigger.legs[0]
        changed = msgspec.structs.replace(kept, type=form.type, quantity=form.quantity, rules=form.rules)
        self.triggers.change(trigger, trigger.market, [price], [changed])
        return self._taken(trigger)

    async def _cancel(self, request: Request) -> Response:
        body = asked(await request.body(), dict[str, str])
        trigger = self._waiting(body.get("gtt_order_id", ""))
        self.triggers.delete(trigger)
        return self._taken(trigger)

    def _taken(self, trigger: Trigger) -> Response:
        self._tell(trigger)
        return success({"gtt_order_ids": [f"{PREFIX}{trigger.number}"]}, latency=True)

    def _waiting(self, number: str) -> Trigger:
        if not number:
            raise Invalid("The gtt_order_id is required", "UDAPI1134")
        trigger = self.triggers.waiting(_number(number))
        if trigger is None:
            raise Invalid("The GTT order is not there or is over", "UDAPI1132")
        return trigger

    # --- what happens to them -----------------------------------------------------------------------------------------

    def _fire(self, trigger: Trigger, leg: int) -> None:
        form: New = trigger.legs[leg]
        way = 1 if form.transaction_type is Action.BUY else -1
        order = Place(
            quantity=form.quantity,
            product=form.product,
            validity=Validity.DAY,
            price=_limit(trigger.market, trigger.values[0] * (1 + way * PROTECTION)),
            order_type=PriceType.LIMIT,
            transaction_type=form.transaction_type,
            disclosed_quantity=0,
            trigger_price=0.0,
            is_amo=False,
            instrument_token=form.instrument_token,
        )
        try:
            trigger.results[leg] = self._orders.enter(order)
        except Invalid as invalid:
            trigger.results[leg] = str(invalid)
        self._tell(trigger)

    def _tell(self, trigger: Trigger) -> None:
        self._upstox.tell("gtt_order", self._row(trigger))

    def _row(self, trigger: Trigger) -> dict[str, Any]:
        form: New = trigger.legs[0]
        result, contract = trigger.results[0], trigger.market.contract
        key = instrument_key(contract, self._upstox.exchange.token(contract))
        expires = ist_from_ms(trigger.created) + timedelta(days=365)
        status, order_id, text = _outcome(trigger, result)
        return {
            "type": form.type,
            "exchange": key.partition("|")[0],
            "quantity": form.quantity,
            "product": form.product,
            "trading_symbol": order_symbol(contract),
            "instrument_token": key,
            "gtt_order_id": f"{PREFIX}{trigger.number}",
            "expires_at": int(expires.timestamp()) * 1_000_000,
            "created_at": trigger.created * 1000,
            "rules": [
                {
                    "strategy": rule.strategy,
                    "status": status if rule.strategy == "ENTRY" else "PENDING",
                    "trigger_type": rule.trigger_type,
                    "trigger_price": rule.trigger_price,
                    "transaction_type": form.transaction_type.value,
                    "message": text,
                    "order_id": order_id,
                    "trailing_gap": rule.trailing_gap,
                }
                for rule in form.rules
            ],
        }


def _outcome(trigger: Trigger, result: Order | str | None) -> tuple[str, str | None, str | None]:
    """Status of the entry, its order, and what went wrong."""
    if isinstance(result, str):
        return "FAILED", None, result
    if result is None:
        return ("CANCELLED" if trigger.status == "deleted" else "SCHEDULED"), None, None
    if result.status is OrderStatus.REJECTED:
        return "FAILED", result.order_id, result.reason
    return ("COMPLETED" if result.status is OrderStatus.COMPLETE else "OPEN"), result.order_id, None


def _entry(form: Change) -> Rule:
    """The rule that opens. Raises Invalid for what the documentation forbids."""
    strategies = [rule.strategy for rule in form.rules]
    if form.type == "SINGLE" and len(form.rules) != 1:
        raise Invalid("A SINGLE GTT has one rule", "UDAPI1136")
    if form.type == "MULTIPLE" and len(form.rules) not in (2, 3):
        raise Invalid("A MULTIPLE GTT has two or three rules", "UDAPI1137")
    if "ENTRY" not in strategies or len(set(strategies)) != len(strategies):
        raise Invalid("The ENTRY strategy is mandatory, and each is there once", "UDAPI1141")
    if any(rule.strategy != "ENTRY" and rule.trigger_type != "IMMEDIATE" for rule in form.rules):
        raise Invalid("Only IMMEDIATE is allowed beside the entry", "UDAPI1143")
    if form.quantity <= 0 or any(rule.trigger_price <= 0 for rule in form.rules):
        raise Invalid("Quantity and trigger prices must be above zero", "UDAPI1139")
    return form.rules[strategies.index("ENTRY")]


def _limit(market: Market, price: float) -> float:
    """On the tick and within the day's range."""
    ticks = min(max(round(price / market.contract.tick_size), market.lower_circuit), market.upper_circuit)
    return market.rupees(ticks)


def _number(text: str) -> int:
    digits = text.removeprefix(PREFIX)
    if digits == text or not digits.isdecimal():
        raise Invalid("The GTT order ID must start with 'GTT-'", "UDAPI1135")
    return int(digits)
