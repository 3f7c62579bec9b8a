"""What a strategy asks of the server, over a line that may break at any moment.

Lives on the loop. An order that was not sent waits for the line until its deadline, then it is denied. One that was
sent is asked about under its client order id, and sent again under the same id, which the server takes for the same
order, while its deadline has not passed. What cannot be found out is InDoubt. `ends` are monotonic seconds."""

from collections.abc import Coroutine, Mapping
from time import monotonic
from typing import Any

from sangam.model.errors import Denied, InDoubt, NotSent, OrderError, OrderNotFound, SangamError
from sangam.model.order import OrderState, Ticket

from . import wire
from .answers import OrderInfo
from .asked import Terms
from .line import Broken, Line

Fields = Mapping[str, Any]

_OPEN = (OrderState.PENDING, OrderState.SENT, OrderState.UNKNOWN)
LOOK = 5.0
"""Seconds that one look for an order may take."""


class ServerDesk:
    """`account` is what every request names, if anything; `reply_timeout` is for how long an answer is awaited."""

    def __init__(self, line: Line, account: Fields, reply_timeout: float) -> None:
        self._line = line
        self._account = account
        self._reply_timeout = reply_timeout

    async def place(self, ticket: Ticket, ends: float) -> OrderInfo:
        try:
            row = await self._send(ticket, ends)
        except Broken as broken:
            row = await self._settle(ticket, ends, str(broken))
        if row.get("status") == "error":
            raise wire.failure("place_order", row, ticket)
        return wire.placed(row, ticket)

    async def _send(self, ticket: Ticket, ends: float) -> Fields:
        """Raises Denied, or Broken where it may have left."""
        await self._up(ends)
        left = max(0.0, ends - monotonic())
        fields = {**wire.placement(ticket, round(left * 1000)), **self._account}
        return await _unless_lost(self._line.ask("place_order", fields, left + self._reply_timeout))

    async def _settle(self, ticket: Ticket, ends: float, why: str) -> Fields:
        """What became of an order whose answer is missing. The server's journal knows every order that it sent."""
        until, name = max(ends, monotonic() + self._reply_timeout), ticket.client_order_id
        while True:
            try:
                await self._line.ready(until, patient=True)
                row = await self._line.ask("get_order", {"client_order_id": name, **self._account}, LOOK)
                known = row.get("status") == "success"
                if known and (state := OrderState(row["data"]["state"])) not in _OPEN:
                    return _as_reply(row["data"], state)
                if known or monotonic() < ends:
                    return await self._send(ticket, until if known else ends)
            except Broken as broken:
                why = str(broken)
                continue
            except SangamError as error:
                why = str(error)
            raise InDoubt(
                f"The order {name} may have been sent, and nobody could be asked what became of it "
                f"({why}). Do not place it again under another client_order_id: ask get_order for this one.",
                order=wire.placed({"state": OrderState.UNKNOWN}, ticket),
            )

    async def modify(self, order_id: str, terms: Terms, ends: float) -> OrderInfo:
        try:
            await self._write("modify_order", {"order_id": order_id, **wire.modification(terms)}, ends)
        except Broken as broken:
            order = await self._find(order_id, str(broken))
            if not terms.hold(order):
                text = f"Order {order_id} may still be modified; it is not yet ({broken}). Look at it before you go on."
                raise InDoubt(text, order=order) from None
            return order
        return await self._find(order_id, "")

    async def cancel(self, order_id: str, ends: float) -> OrderInfo:
        """A cancel that went astray is repeated: it can only end the same order."""
        astray = ""
        while True:
            try:
                await self._write("cancel_order", {"order_id": order_id}, ends)
            except Broken as broken:
                astray = str(broken)
                refused: OrderError = InDoubt(f"Order {order_id} may still be cancelled; it is not yet ({astray}).")
            except OrderError as error:
                if not astray:
                    raise
                refused = error  # the one that went astray may have ended it
            else:
                return await self._find(order_id, "")
            order = await self._find(order_id, astray)
            if order.state is OrderState.CANCELLED:
                return order
            if order.is_final or not isinstance(refused, InDoubt) or monotonic() >= ends:
                refused.order = order
                raise refused

    async def _find(self, order_id: str, why: str) -> OrderInfo:
        """The order as the server knows it, after something was done to it."""
        try:
            row = await self.read("get_order", {"order_id": order_id}, patient=True)
        except (OrderNotFound, NotSent) as error:
            raise InDoubt(f"Order {order_id} was written to, and cannot be read now ({why or error}).") from None
        return wire.order(row["data"])

    # --- triggers -----------------------------------------------------------------------------------------------------

    async def place_gtt(self, fields: Fields, ends: float) -> str:
        """The server knows it by its client order id, so one that went astray is asked for again."""
        astray = ""
        while True:
            try:
                return str((await self._write("place_gtt", fields, ends))["trigger_id"])
            except Broken as broken:
                astray = str(broken)
            except Denied as error:
                if not astray:
                    raise
                astray = str(error)
            if monotonic() >= ends:
                raise InDoubt(f"The GTT was sent, and the answer did not come ({astray}). Look at get_gtts.")

    async def cancel_gtt(self, trigger_id: str, ends: float) -> None:
        astray = ""
        while True:
            try:
                await self._write("cancel_gtt", {"trigger_id": trigger_id}, ends)
            except Broken as broken:
                astray = str(broken)
            except OrderError:
                if not astray:
                    raise
            else:
                return
            rows = (await self.read("get_gtts", {}, patient=True))["data"]
            if not any(row["trigger_id"] == trigger_id and row["status"] == "active" for row in rows):
                return
            if monotonic() >= ends:
                raise InDoubt(f"GTT {trigger_id} may still be cancelled; it is not yet ({astray}).")

    # --- asking -------------------------------------------------------------------------------------------------------

    async def read(self, action: str, fields: Fields, *, patient: bool = False) -> Fields:
        """Reading is harmless: it waits for the line, and is repeated when that breaks."""
        ends = monotonic() + self._reply_timeout
        while True:
            await self._line.ready(ends, patient=patient)
            try:
                row = await self._line.ask(action, {**fields, **self._account}, max(0.1, ends - monotonic()))
            except (Broken, NotSent) as error:
                if monotonic() >= ends:
                    raise NotSent(f"{action} was not answered in time: {error}") from None
                continue
            if row.get("status") == "error":
                raise wire.failure(action, row)
            return row

    async def _write(self, action: str, fields: Fields, ends: float) -> Fields:
        """Raises Denied, Rejected, InDoubt as the server says, and Broken where the answer is missing."""
        await self._up(ends)
        row = await _unless_lost(self._line.ask(action, {**fields, **self._account}, self._reply_timeout))
        if row.get("status") == "error":
            raise wire.failure(action, row)
        return row

    async def _up(self, ends: float) -> None:
        """A write waits for the line; what did not get it in time was not sent."""
        try:
            await self._line.ready(ends)
        except NotSent as error:
            raise Denied(str(error), error.code) from None

    async def while_up(self, message: dict[str, Any]) -> Fields:
        """A subscription of now; without a line the next connect makes it."""
        try:
            return await self._line.ask(message.pop("action"), {**message, **self._account}, self._reply_timeout)
        except (Broken, NotSent):
            return {}


async def _unless_lost(answer: Coroutine[Any, Any, Fields]) -> Fields:
    try:
        return await answer
    except NotSent as error:
        raise Denied(str(error), error.code) from None


def _as_reply(row: Fields, state: OrderState) -> Fields:
    """A row of the book as the answer to its placement would have been."""
    if state not in (OrderState.REJECTED, OrderState.DENIED):
        return row
    reason = row.get("reason") or row.get("rejection_reason") or f"It is {state}."
    return {**row, "status": "error", "message": reason, "code": row.get("code") or "ORDER_ERROR"}
