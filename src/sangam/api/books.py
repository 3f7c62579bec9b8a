"""Order, trade and position book, holdings, funds, margin (specs: REST contract, 4)."""

from contextlib import suppress

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sangam.model.books import MarginLeg
from sangam.model.enums import Action
from sangam.model.errors import OrderNotFound
from sangam.model.order import TradingMode
from sangam.orders.ports import Caller, Desk
from sangam.orders.rows import holding_totals

from .deps import ApiDeps
from .errors import ApiError, ErrorCode
from .gate import Gate
from .order_replies import (
    funds_data,
    holding_row,
    margin_data,
    order_row,
    position_row,
    position_totals,
    statistics,
    symbol_rows,
    trade_row,
)
from .order_requests import MarginOf, OpenPosition
from .ordering import answer, ordering
from .requests import Keyed
from .stream import encoded

PAPER_ONLY = "This endpoint is only available in sandbox/analyzer mode"


def make_router(deps: ApiDeps, gate: Gate, desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["books"])

    @router.post("/orderbook", summary="The day's orders, newest first")
    async def orderbook(wanted: Keyed, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request)
        with ordering(caller):
            orders = await desk.orders(caller)
        return answer(caller, data={"orders": await encoded(orders, order_row), "statistics": statistics(orders)})

    @router.post("/tradebook", summary="The day's fills")
    async def tradebook(wanted: Keyed, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request)
        with ordering(caller):
            trades = await desk.trades(caller)
        rows = await encoded(trades, lambda row: trade_row(*row, strategy(caller, row[1].order_id)))
        return answer(caller, data=rows)

    def strategy(caller: Caller, reference: str) -> str:
        with suppress(OrderNotFound):
            return desk.find(caller, reference).strategy
        return ""

    @router.post("/positionbook", summary="Net positions; a closed one stays for the day with quantity 0")
    async def positionbook(wanted: Keyed, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request)
        with ordering(caller):
            positions = await desk.positions(caller)
        rows = await encoded(positions, lambda row: position_row(*row))
        totals = position_totals(position for _, position in positions) if _paper(caller) else {}
        return answer(caller, data=rows, **totals)

    @router.post("/openposition", summary="The net quantity of one symbol and product")
    async def openposition(wanted: OpenPosition, request: Request) -> Response:
        """Signed; 0 where there is none."""
        caller = gate.caller(desk, wanted, request)
        with ordering(caller):
            desk.instrument(caller, wanted.symbol, wanted.exchange)
            quantity = sum(
                position.quantity
                for instrument, position in await desk.positions(caller)
                if (instrument.symbol, instrument.exchange, position.product)
                == (wanted.symbol, wanted.exchange, wanted.product)
            )
        return answer(caller, quantity=quantity)

    @router.post("/holdings", summary="Delivery holdings and what they are worth")
    async def holdings(wanted: Keyed, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request)
        with ordering(caller):
            held = await desk.holdings(caller)
        rows = await encoded(held, lambda row: holding_row(*row))
        return answer(caller, data={"holdings": rows, "statistics": holding_totals([holding for _, holding in held])})

    @router.post("/funds", summary="Cash, collateral, the day's result, margin in use")
    async def funds(wanted: Keyed, request: Request) -> Response:
        """Texts with two decimals; a paper account has figures besides."""
        caller = gate.caller(desk, wanted, request)
        with ordering(caller):
            told = await desk.funds(caller)
            paper = (deps.paper(caller) if deps.paper else {}) if _paper(caller) else None
        return answer(caller, data=funds_data(told, paper))

    @router.post("/margin", summary="What orders would need")
    async def margin(wanted: MarginOf, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request)
        with ordering(caller):
            legs = [
                (
                    desk.instrument(caller, one.symbol, one.exchange),
                    MarginLeg(
                        action=Action(one.action.upper()),
                        quantity=one.quantity,
                        product=one.product,
                        price_type=one.pricetype,
                        price=one.price,
                        trigger_price=one.trigger_price,
                    ),
                )
                for one in wanted.positions
            ]
            told = await desk.margin(caller, legs)
        return answer(caller, data=margin_data(told))

    @router.post("/pnl/symbols", summary="The day's result by symbol, on paper")
    async def pnl_symbols(wanted: Keyed, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request)
        with ordering(caller):
            if not _paper(caller):
                raise ApiError(400, ErrorCode.INVALID_INPUT, PAPER_ONLY)
            positions = await desk.positions(caller)
        return answer(caller, data=symbol_rows(positions))

    return router


def _paper(caller: Caller) -> bool:
    return caller.mode is TradingMode.PAPER
