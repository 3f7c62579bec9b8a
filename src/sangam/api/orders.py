"""Single orders: place, smart, modify, cancel, status, and what only we have: resolve and events
(specs: REST contract, 3.1 to 3.4, 4.1)."""

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from sangam.model.enums import Scope
from sangam.model.errors import Denied
from sangam.model.order import Order
from sangam.orders.composites import Composites
from sangam.orders.ports import Desk
from sangam.orders.rows import order_id

from .deps import ApiDeps
from .errors import success
from .gate import Gate
from .order_replies import order_row
from .order_requests import ModifyOrder, OneOrder, PlaceOrder, Resolve, Since, SmartOrder
from .ordering import answer, client_id, echo, ordering


def make_router(deps: ApiDeps, gate: Gate, desk: Desk, composites: Composites) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["orders"])

    @router.post("/placeorder", summary="Place an order")
    async def placeorder(wanted: PlaceOrder, request: Request) -> Response:
        """With `client_order_id` or the header `Idempotency-Key` a repeated request returns the same order."""
        caller = gate.caller(desk, wanted, request, write=True, paced="orders")
        with ordering(caller, write=True):
            name = client_id(wanted, request)
            ticket = wanted.ticket(
                wanted.symbol, wanted.exchange, wanted.action, wanted.quantity, wanted.strategy, name
            )
            order = await desk.place(caller, ticket)
        return answer(caller, orderid=order_id(order), **echo(name))

    @router.post("/placesmartorder", summary="Bring a position to a size")
    async def placesmartorder(wanted: SmartOrder, request: Request) -> Response:
        """Without `orderid` in the answer there was nothing to do."""
        caller = gate.caller(desk, wanted, request, write=True, paced="smart")
        with ordering(caller, write=True):
            name = client_id(wanted, request)
            ticket = wanted.ticket(
                wanted.symbol, wanted.exchange, wanted.action, wanted.quantity, wanted.strategy, name
            )
            outcome = await composites.smart(caller, ticket, wanted.position_size)
        if isinstance(outcome, str):
            return answer(caller, message=outcome)
        return answer(caller, orderid=order_id(outcome), **echo(name))

    @router.post("/modifyorder", summary="Give a waiting order new terms")
    async def modifyorder(wanted: ModifyOrder, request: Request) -> Response:
        """All terms, not only the changed ones. Symbol, side and product stay."""
        caller = gate.caller(desk, wanted, request, write=True, paced="orders")
        with ordering(caller, write=True):
            _same(await desk.known(caller, wanted.orderid), wanted)
            order = await desk.modify(caller, wanted.orderid, wanted.change())
        return answer(caller, orderid=order_id(order), message="Order modified successfully")

    @router.post("/cancelorder", summary="Cancel a waiting order")
    async def cancelorder(wanted: OneOrder, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request, write=True, paced="orders")
        with ordering(caller, write=True):
            order = await desk.cancel(caller, wanted.orderid)
        return answer(caller, orderid=order_id(order), message="Order cancelled successfully")

    @router.post("/orderstatus", summary="One order")
    async def orderstatus(wanted: OneOrder, request: Request) -> Response:
        caller = gate.caller(desk, wanted, request)
        with ordering(caller):
            order = await desk.known(caller, wanted.orderid)
        return answer(caller, data=order_row(order))

    @router.post("/orders/resolve", summary="Settle an order whose outcome nobody knows")
    async def resolve(wanted: Resolve, request: Request) -> Response:
        """Only where no evidence can come: you looked at the broker's own pages. It stays on the record."""
        caller = gate.caller(desk, wanted, request, write=True)
        with ordering(caller, write=True):
            order = await deps.resolve(caller, wanted.orderid, wanted.outcome, wanted.note)
        return answer(caller, data=order_row(order))

    @router.post("/orders/events", summary="What became of orders since an event")
    async def events(wanted: Since, request: Request) -> Response:
        """Of all your accounts, oldest first; ask again after the last `seq` while it is below `last_event`."""
        identity = gate.identity(wanted.apikey, Scope.ORDERS_READ, request)
        news, newest = await deps.events(identity, wanted.since)
        return success(data=[msgspec.Raw(one.event) for one in news], last_event=newest)

    return router


def _same(order: Order, wanted: ModifyOrder) -> None:
    """Raises Denied where a request means another order than its id does."""
    asked = (wanted.symbol, wanted.exchange, wanted.action.upper(), wanted.product)
    stands = (order.symbol, order.exchange, order.action, order.product)
    if asked != stands:
        text = f"Order {wanted.orderid} is {order.action} {order.exchange}:{order.symbol} in {order.product}: "
        raise Denied(f"{text}symbol, exchange, action and product cannot be changed.", order=order)
