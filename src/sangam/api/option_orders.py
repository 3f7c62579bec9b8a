"""Option orders by their distance from the money (specs: REST contract, 3.9 and 3.10)."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sangam.model.enums import Exchange, InstrumentType
from sangam.model.order import Order
from sangam.orders.composites import Composites
from sangam.orders.option_orders import LegOutcome, OptionLeg, OptionOrders
from sangam.orders.ports import Caller, Desk
from sangam.orders.rows import order_id

from .deps import ApiDeps
from .gate import Gate
from .order_requests import OptionLeg as WantedLeg
from .order_requests import OptionsMultiOrder, OptionsOrder
from .ordering import answer, client_id, echo, leg_row, ordering, slice_rows


def make_router(deps: ApiDeps, gate: Gate, desk: Desk, composites: Composites) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["orders"])
    option_orders = OptionOrders(desk, composites)

    @router.post("/optionsorder", summary="An option by its distance from the money")
    async def optionsorder(wanted: OptionsOrder, request: Request) -> Response:
        """With `splitsize` in slices."""
        caller = gate.caller(desk, wanted, request, write=True, paced="orders")
        with ordering(caller, write=True, unknown_symbol=404):
            name = client_id(wanted, request)
            master, today = deps.master(caller.account.id), deps.today()
            seen = await option_orders.look(caller, master, wanted.underlying, wanted.exchange, today)
            leg = _leg(wanted, wanted.strategy, name)
            option = option_orders.choose(seen, master, wanted.expiry_date, wanted.strike_int, leg, today)
            outcome = await option_orders.one(caller, option, leg)
        where = {
            "symbol": option.symbol,
            "exchange": option.exchange,
            "underlying": seen.underlying.quoted.symbol,
            "underlying_ltp": seen.price,
            "offset": wanted.offset,
            "option_type": wanted.option_type.upper(),
            **echo(name),
        }
        if isinstance(outcome, Order):
            return answer(caller, orderid=order_id(outcome), **where)
        rows = slice_rows(outcome, caller)
        return answer(caller, total_quantity=wanted.quantity, split_size=wanted.splitsize, results=rows, **where)

    @router.post("/optionsmultiorder", summary="Up to 20 option legs, BUY legs before SELL legs")
    async def optionsmultiorder(wanted: OptionsMultiOrder, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request, write=True, paced="orders")
        with ordering(caller, write=True, unknown_symbol=404):
            name = client_id(wanted, request)
            master, today = deps.master(caller.account.id), deps.today()
            seen = await option_orders.look(caller, master, wanted.underlying, wanted.exchange, today)
            told = await option_orders.many(
                caller,
                master,
                seen,
                [_leg(leg, wanted.strategy, "") for leg in wanted.legs],
                expiry=wanted.expiry_date,
                step=wanted.strike_int,
                today=today,
                client_order_id=name,
            )
        rows = [
            _leg_row(number, leg, outcome, caller)
            for number, (leg, outcome) in enumerate(zip(wanted.legs, told, strict=True), 1)
        ]
        underlying = seen.underlying.quoted.symbol
        return answer(caller, underlying=underlying, underlying_ltp=seen.price, results=rows, **echo(name))

    return router


def _leg(wanted: OptionsOrder | WantedLeg, strategy: str, client_order_id: str) -> OptionLeg:
    """Its ticket learns symbol and exchange when the option is found."""
    return OptionLeg(
        offset=wanted.offset,
        right=InstrumentType(wanted.option_type.upper()),
        ticket=wanted.ticket("", Exchange.NFO, wanted.action, wanted.quantity, strategy, client_order_id),
        expiry_date=wanted.expiry_date,
        split=wanted.splitsize or 0,
    )


def _leg_row(number: int, leg: WantedLeg, told: LegOutcome, caller: Caller) -> dict[str, Any]:
    row: dict[str, Any] = {"leg": number}
    if told.option is not None:
        row |= {"symbol": told.option.symbol, "exchange": told.option.exchange, "product": leg.product}
    row |= {"offset": leg.offset, "option_type": leg.option_type.upper(), "action": leg.action.upper()}
    if told.option is None or not leg.splitsize:
        return row | leg_row(told.slices[0].outcome, caller) | {"mode": caller.mode.word}
    parts = slice_rows(told.slices, caller)
    good = any(part["status"] == "success" for part in parts)
    return row | {
        "status": "success" if good else "error",
        "total_quantity": leg.quantity,
        "split_size": leg.splitsize,
        "split_results": parts,
        "mode": caller.mode.word,
    }
