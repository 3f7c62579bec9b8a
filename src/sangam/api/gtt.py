"""Good-till-triggered orders (specs: REST contract, 3.11)."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sangam.model.books import GttLeg
from sangam.model.enums import Action
from sangam.orders.gtt import gtt_legs
from sangam.orders.ports import Desk

from .gate import Gate
from .order_replies import gtt_row
from .order_requests import GttTerms, ModifyGtt, OneGtt, PlaceGtt
from .ordering import answer, client_id, echo, ordering
from .requests import Keyed


def make_router(gate: Gate, desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["GTT"])

    @router.post("/placegttorder", summary="An order that waits for its trigger, or two that exclude each other")
    async def placegttorder(wanted: PlaceGtt, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request, write=True, paced="orders")
        with ordering(caller, write=True):
            name = client_id(wanted, request)
            legs = _legs(wanted)
            instrument = desk.instrument(caller, wanted.symbol, wanted.exchange)
            trigger_id = await desk.place_gtt(caller, instrument, legs, name)
        return answer(caller, trigger_id=trigger_id, **echo(name))

    @router.post("/modifygttorder", summary="Replace a whole trigger")
    async def modifygttorder(wanted: ModifyGtt, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request, write=True, paced="orders")
        with ordering(caller, write=True):
            legs = _legs(wanted)
            instrument = desk.instrument(caller, wanted.symbol, wanted.exchange)
            trigger_id = await desk.modify_gtt(caller, wanted.trigger_id, instrument, legs)
        return answer(caller, trigger_id=trigger_id)

    @router.post("/cancelgttorder", summary="Take a trigger back")
    async def cancelgttorder(wanted: OneGtt, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request, write=True, paced="orders")
        with ordering(caller, write=True):
            trigger_id = await desk.cancel_gtt(caller, wanted.trigger_id)
        return answer(caller, trigger_id=trigger_id)

    @router.post("/gttorderbook", summary="The triggers of an account")
    async def gttorderbook(wanted: Keyed, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request)
        with ordering(caller):
            rows = [gtt_row(*row) for row in await desk.gtts(caller)]
        return answer(caller, data=rows)

    return router


def _legs(wanted: GttTerms) -> tuple[GttLeg, ...]:
    return gtt_legs(
        wanted.trigger_type,
        Action(wanted.action.upper()),
        wanted.quantity,
        wanted.product,
        wanted.pricetype,
        price=wanted.price,
        trigger_sl=wanted.triggerprice_sl,
        trigger_tg=wanted.triggerprice_tg,
        stoploss=wanted.stoploss,
        target=wanted.target,
    )
