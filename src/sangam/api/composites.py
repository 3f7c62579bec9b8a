"""Orders made of orders: basket, split, cancel-all, close-position (specs: REST contract, 3.5 to 3.8). A leg that fails
has its own error; the request succeeds."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sangam.model.order import Order, TradingMode
from sangam.orders.closing import Closing
from sangam.orders.composites import Composites
from sangam.orders.ports import Caller, Desk
from sangam.orders.rows import order_id

from .gate import Gate
from .order_requests import Basket, Conversion, Idempotent, SplitOrder, Strategic
from .ordering import answer, client_id, echo, leg_row, ordering, slice_rows


def make_router(gate: Gate, desk: Desk, composites: Composites) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["orders"])

    @router.post("/basketorder", summary="Several orders, BUY legs before SELL legs")
    async def basketorder(wanted: Basket, request: Request) -> Response:
        """Results in the order of the request; SELL legs go when every BUY leg has its outcome."""
        caller = gate.caller(desk, wanted, request, write=True)
        with ordering(caller, write=True):
            name = client_id(wanted, request)
            tickets = [
                leg.ticket(leg.symbol, leg.exchange, leg.action, leg.quantity, wanted.strategy, leg.client_order_id)
                for leg in wanted.orders
            ]
            outcomes = await composites.basket(caller, tickets, name)
        rows = [
            {"symbol": one.symbol, "exchange": one.exchange, "product": one.product, **leg_row(outcome, caller)}
            for one, outcome in zip(tickets, outcomes, strict=True)
        ]
        return answer(caller, results=rows, **echo(name))

    @router.post("/splitorder", summary="One order in slices, the remainder last")
    async def splitorder(wanted: SplitOrder, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request, write=True)
        with ordering(caller, write=True):
            name = client_id(wanted, request)
            ticket = wanted.ticket(
                wanted.symbol, wanted.exchange, wanted.action, wanted.quantity, wanted.strategy, name
            )
            slices = await composites.split(caller, ticket, wanted.splitsize)
        return answer(
            caller,
            total_quantity=wanted.quantity,
            split_size=wanted.splitsize,
            results=slice_rows(slices, caller),
            **echo(name),
        )

    @router.post("/cancelallorder", summary="Cancel whatever waits")
    async def cancelallorder(wanted: Strategic, request: Request) -> Response:
        """Open and trigger pending orders, those placed elsewhere too."""
        caller = gate.caller(desk, wanted, request, write=True)
        with ordering(caller, write=True):
            told = await composites.cancel_all(caller)
        done = [order_id(one.order) for one in told if isinstance(one.outcome, Order)]
        failed = [
            _reasoned({"orderid": order_id(one.order), **leg_row(one.outcome, caller)})
            for one in told
            if not isinstance(one.outcome, Order)
        ]
        text = f"Canceled {len(done)} orders. Failed to cancel {len(failed)} orders."
        return answer(
            caller,
            message=text if told else "No open orders to cancel",
            canceled_orders=done,
            failed_cancellations=failed,
        )

    @router.post("/closeposition", summary="Close every open position at market")
    async def closeposition(wanted: Idempotent, request: Request) -> Response:
        """A position book that cannot be read is an error, never a success."""
        caller = gate.caller(desk, wanted, request, write=True)
        with ordering(caller, write=True):
            told = await composites.close_all(caller, wanted.strategy, client_id(wanted, request))
        rows = [_closing_row(one, caller) for one in told]
        failed = [_reasoned(row) for row in rows if row["status"] == "error"]
        closed = [row for row in rows if row["status"] == "success"]
        return answer(
            caller,
            message=_closed(len(closed), len(failed), caller.mode),
            closed_positions=closed,
            failed_closures=failed,
        )

    @router.post("/positions/convert", summary="Move a position to another product")
    async def convert(wanted: Conversion, request: Request) -> Response:
        """Its side is the position's."""
        caller = gate.caller(desk, wanted, request, write=True, paced="orders")
        with ordering(caller, write=True):
            instrument = desk.instrument(caller, wanted.symbol, wanted.exchange)
            quantity = await composites.convert(caller, instrument, wanted.product, wanted.to_product, wanted.quantity)
        return answer(caller, quantity=quantity, product=wanted.to_product)

    return router


def _reasoned(row: dict[str, Any]) -> dict[str, Any]:
    """Some clients read `message`, some `reason`."""
    return {name: value for name, value in row.items() if name != "status"} | {"reason": row["message"]}


def _closing_row(one: Closing, caller: Caller) -> dict[str, Any]:
    """One that was closed in slices is closed when all are."""
    row = {"symbol": one.symbol, "exchange": one.exchange, "product": one.product}
    if len(one.slices) == 1:
        return {**row, **leg_row(one.slices[0].outcome, caller)}
    parts = slice_rows(one.slices, caller)
    worst = next((part for part in parts if part["status"] == "error"), parts[0])
    told = {name: value for name, value in worst.items() if name not in ("order_num", "quantity")}
    return {**row, **told, "split_results": parts}


def _closed(closed: int, failed: int, mode: TradingMode) -> str:
    """In the words of the known API, which has others live than on paper."""
    if failed:
        return f"Closed {closed} positions. Failed to close {failed} positions."
    if mode is TradingMode.LIVE:
        return "All Open Positions Squared Off" if closed else "No Open Positions Found"
    return f"Closed {closed} positions" if closed else "No open positions to close"
