"""Fyers' GTT: triggers that wait at the broker, fire on the exchange's last price and place their order."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import fyers_rows as rows
from .fyers_orders import SIDES, Asked, FyersOrders, Named, as_form
from .fyers_rest import API, body_of, success
from .fyers_wire import moment
from .market import Market
from .retail import Invalid
from .triggers import Trigger, Triggers

if TYPE_CHECKING:
    from .fyers import Fyers

STATUSES = {"active": 6, "triggered": 2, "deleted": 1}


class Leg(msgspec.Struct, rename="camel"):
    price: float
    trigger_price: float
    qty: int


class Info(msgspec.Struct):
    leg1: Leg
    leg2: Leg | None = None


class AskedTrigger(msgspec.Struct, rename="camel"):
    order_info: Info
    side: int = 0
    symbol: str = ""
    product_type: str = ""
    id: str = ""


class FyersGtt:
    def __init__(self, fyers: "Fyers", orders: FyersOrders) -> None:
        self._fyers = fyers
        self._orders = orders
        self.triggers = Triggers(fyers.exchange, self._fire, first=26_081_800_000_001)
        self.check = self.triggers.check

    def routes(self) -> list[BaseRoute]:
        signed, write = self._fyers.signed, self._fyers.write
        path = f"{API}/gtt/orders/sync"
        return [
            Route(path, write(self._set, "default"), methods=["POST"]),
            Route(path, write(self._reset, "default"), methods=["PATCH"]),
            Route(path, write(self._unset, "default"), methods=["DELETE"]),
            Route(f"{API}/gtt/orders", signed(self._waiting)),
        ]

    async def _set(self, request: Request) -> Response:
        ask = as_form(await body_of(request), AskedTrigger)
        if ask.side not in SIDES or ask.product_type not in ("CNC", "MARGIN"):
            raise Invalid("Invalid input")
        terms = (ask.side, ask.product_type)
        market = self._orders.tradable(ask.symbol)
        return _placed(self.triggers.add(market, *_legs(market, ask.order_info, terms)), 1101, "placed")

    async def _reset(self, request: Request) -> Response:
        ask = as_form(await body_of(request), AskedTrigger)
        trigger = self._trigger(ask.id)
        terms = trigger.legs[0][1:]
        self.triggers.change(trigger, trigger.market, *_legs(trigger.market, ask.order_info, terms))
        return _placed(trigger, 1102, "modified")

    async def _unset(self, request: Request) -> Response:
        trigger = self._trigger(as_form(await body_of(request), Named).id)
        self.triggers.delete(trigger)
        return _placed(trigger, 1103, "cancelled")

    def _trigger(self, number: str) -> Trigger:
        trigger = self.triggers.waiting(int(number)) if number.isdecimal() else None
        if trigger is None:
            raise Invalid("Please provide a valid order id", "-51")
        return trigger

    def _fire(self, trigger: Trigger, number: int) -> None:
        leg, side, product = trigger.legs[number]
        symbol = self._fyers.tickers.of(trigger.market.contract)
        with suppress(Invalid):  # what is wrong with it is told nowhere
            self._orders.enter(Asked(symbol, leg.qty, 1, side, product, limit_price=leg.price))

    async def _waiting(self, request: Request) -> Response:
        return success({"orderBook": [self._row(trigger) for trigger in self.triggers.all.values()]})

    def _row(self, trigger: Trigger) -> dict[str, Any]:
        contract, (leg, side, product) = trigger.market.contract, trigger.legs[0]
        row = rows.place(contract, self._fyers.exchange.token(contract))
        row["fy_token"] = row.pop("fyToken")
        row |= {
            "clientId": self._fyers.user_id, "id_fyers": f"{trigger.number}", "id": f"{trigger.number}",
            "instrument": 0, "lot_size": 1, "multiplier": 0, "ord_status": STATUSES[trigger.status], "precision": 2,
            "price_limit": leg.price, "price2_limit": 0, "price_trigger": leg.trigger_price, "price2_trigger": 0,
            "product_type": product, "qty": leg.qty, "qty2": 0, "report_type": trigger.status.upper(),
            "symbol_desc": contract.name, "symbol_exch": contract.symbol, "tick_size": contract.tick_size,
            "tran_side": side, "gtt_oco_ind": len(trigger.legs), "create_time": moment(trigger.created),
            "create_time_epoch": trigger.created // 1000, "oms_msg": "", "ltp_ch": 0, "ltp_chp": 0,
            "ltp": trigger.market.rupees(trigger.market.ltp),
        }  # fmt: skip
        if len(trigger.legs) > 1:
            second = trigger.legs[1][0]
            row |= {"price2_limit": second.price, "price2_trigger": second.trigger_price, "qty2": second.qty}
        return row


Terms = tuple[Leg, int, str]


def _legs(market: Market, info: Info, terms: tuple[int, str]) -> tuple[list[float], list[Terms]]:
    """The trigger values, and the legs with side and product. Of two the first lies above the market."""
    legs = [info.leg1] if info.leg2 is None else [info.leg1, info.leg2]
    last = market.rupees(market.ltp)
    if any(leg.qty <= 0 or leg.price <= 0 for leg in legs):
        raise Invalid("Invalid input")
    if info.leg2 is not None and not info.leg2.trigger_price < last < info.leg1.trigger_price:
        raise Invalid("Leg1 trigger price should be above and leg2 below the LTP")
    return [leg.trigger_price for leg in legs], [(leg, *terms) for leg in legs]


def _placed(trigger: Trigger, code: int, done: str) -> Response:
    return success({"id": f"{trigger.number}"}, code, f"Successfully {done} order")
