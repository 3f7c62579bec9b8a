"""Order actions as a WebSocket client words them (docs/websocket.md), carried out at the desk."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from sangam.model.clock import Clock
from sangam.model.enums import Mode, Scope
from sangam.model.errors import BrokerError, InvalidInput, SangamError
from sangam.model.identity import Identity
from sangam.model.instrument import Instrument
from sangam.model.order import MAX_CLIENT_ID, Order, OrderNews, TradingMode
from sangam.prices.last import Last

from . import rows
from .asked import Asked, change, ticket, trigger_legs
from .failure import ActionFailed, puzzled, told
from .ports import Caller, Desk
from .telling import Told

log = logging.getLogger("sangam.orders")

SCOPES = {
    "place_order": Scope.ORDERS_WRITE,
    "place_orders": Scope.ORDERS_WRITE,
    "modify_order": Scope.ORDERS_WRITE,
    "cancel_order": Scope.ORDERS_WRITE,
    "place_gtt": Scope.ORDERS_WRITE,
    "modify_gtt": Scope.ORDERS_WRITE,
    "cancel_gtt": Scope.ORDERS_WRITE,
    "get_order": Scope.ORDERS_READ,
    "get_orderbook": Scope.ORDERS_READ,
    "get_tradebook": Scope.ORDERS_READ,
    "get_positions": Scope.ORDERS_READ,
    "get_holdings": Scope.ORDERS_READ,
    "get_funds": Scope.ORDERS_READ,
    "get_gtts": Scope.ORDERS_READ,
    "get_quote": Scope.DATA,
}
"""Every action, and the scope that its key needs."""

WRITES = frozenset(action for action, scope in SCOPES.items() if scope is Scope.ORDERS_WRITE)
CANCELS = frozenset({"cancel_order", "cancel_gtt"})

MAX_ORDERS = 100
"""Orders in one message."""
_SLICE = 50
"""Rows made between two turns of the loop: well below a millisecond."""
_PAGE = 1_000

Quotes = Callable[[str, Sequence[Instrument], Mode], Awaitable[Mapping[Instrument, Last]]]
"""Of an account's instruments, from the stream or by request; one that is not known is missing."""

_encode = msgspec.json.Encoder().encode
T = TypeVar("T")


class Events(Protocol):
    """The part of the journal that replays."""

    async def since(self, accounts: Collection[str], seq: int, limit: int = ...) -> list[OrderNews]: ...


class DeskActions:
    """Implements `orders.ports.Actions`. `told` is what news of orders pass through on their way to the doors;
    `simulated` says of whose accounts the prices are those of our own exchange."""

    def __init__(
        self,
        desk: Desk,
        events: Events,
        told: Told,
        quotes: Quotes,
        clock: Clock,
        simulated: Callable[[str], bool] = lambda account: False,
    ) -> None:
        self._desk = desk
        self._events = events
        self._told = told
        self._quotes = quotes
        self._simulated = simulated
        self._clock = clock

    async def act(self, identity: Identity, action: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        scope = SCOPES.get(action)
        if scope is None:
            raise InvalidInput(f"Invalid action: {action}")
        if not identity.may(scope):
            raise ActionFailed("INSUFFICIENT_PERMISSION", f"This API key lacks the scope '{scope}'")
        if fields.get("action") == action:  # the request's name; of an order it is the side
            fields = {name: value for name, value in fields.items() if name != "action"}
        asked = Asked(fields)
        account = asked.text("account", "broker") or None
        if action == "get_quote":
            return await self._quote(identity, account, asked)
        return await _DOINGS[action](self, self._desk.caller(identity, account), asked)

    async def since(self, identity: Identity, seq: int) -> tuple[list[OrderNews], int]:
        """Only what was told: the rest comes live to whoever listens from here on."""
        missed: list[OrderNews] = []
        if seq < self._told.newest and identity.may(Scope.ORDERS_READ):
            missed = await self._events.since([account.id for account in identity.accounts], seq, _PAGE)
        newest = self._told.newest
        return [news for news in missed if news.seq <= newest], newest

    # --- orders -------------------------------------------------------------------------------------------------------

    async def _place(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        return rows.reply_row(await self._desk.place(caller, ticket(asked)))

    async def _place_all(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        """One entry that cannot be read refuses all: half of what was meant to be one is worse than nothing."""
        tickets = [ticket(entry) for entry in asked.entries("orders", MAX_ORDERS)]
        strategy = asked.text("strategy")
        if strategy:
            tickets = [msgspec.structs.replace(one, strategy=one.strategy or strategy) for one in tickets]
        results = [_result(one) for one in await self._desk.place_all(caller, tickets)]
        failed = sum(row["status"] == "error" for row in results)
        status = "success" if not failed else "partial" if failed < len(results) else "error"
        return {"status": status, "mode": caller.mode.word, "account": caller.account.id, "results": results}

    async def _modify(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        order = await self._desk.known(caller, _reference(asked))
        return rows.reply_row(await self._desk.modify(caller, order.id, change(asked, order)))

    async def _cancel(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        return rows.reply_row(await self._desk.cancel(caller, _reference(asked)))

    # --- triggers -----------------------------------------------------------------------------------------------------

    async def _place_gtt(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        legs, instrument = trigger_legs(asked), self._instrument(caller, asked)
        client = asked.text("client_order_id", limit=MAX_CLIENT_ID)
        return self._trigger(caller, await self._desk.place_gtt(caller, instrument, legs, client), client)

    async def _modify_gtt(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        legs, instrument = trigger_legs(asked), self._instrument(caller, asked)
        trigger = asked.needed("trigger_id")
        return self._trigger(caller, await self._desk.modify_gtt(caller, trigger, instrument, legs))

    async def _cancel_gtt(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        return self._trigger(caller, await self._desk.cancel_gtt(caller, asked.needed("trigger_id")))

    def _trigger(self, caller: Caller, trigger_id: str, client_order_id: str = "") -> dict[str, Any]:
        reply = {"trigger_id": trigger_id, "mode": caller.mode.word, "account": caller.account.id}
        return {**reply, "client_order_id": client_order_id} if client_order_id else reply

    def _instrument(self, caller: Caller, asked: Asked) -> Instrument:
        return self._desk.instrument(caller, asked.needed("symbol"), asked.needed("exchange").upper())

    # --- books --------------------------------------------------------------------------------------------------------

    async def _order(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        return _data(caller, rows.order_row(await self._desk.known(caller, _reference(asked))))

    async def _orderbook(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        counted = rows.Statistics()

        def row(order: Order) -> rows.Row:
            counted.add(order)
            return rows.order_row(order)

        book = await _listed(await self._desk.orders(caller), row)
        return _data(caller, {"orders": book, "statistics": counted.row()})

    async def _tradebook(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        trades = await self._desk.trades(caller)
        return _data(caller, await _listed(trades, lambda pair: rows.trade_row(*pair)))

    async def _positions(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        positions = await self._desk.positions(caller)
        return _data(caller, await _listed(positions, lambda pair: rows.position_row(*pair)))

    async def _holdings(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        held = await self._desk.holdings(caller)
        book = await _listed(held, lambda pair: rows.holding_row(*pair))
        return _data(caller, {"holdings": book, "statistics": rows.holding_totals([one for _, one in held])})

    async def _funds(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        return _data(caller, rows.funds_row(await self._desk.funds(caller)))

    async def _gtts(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        gtts = await self._desk.gtts(caller)
        return _data(caller, await _listed(gtts, lambda pair: rows.gtt_row(*pair)))

    async def _quote(self, identity: Identity, name: str | None, asked: Asked) -> dict[str, Any]:
        """Of the account that feeds this key, unless it names another."""
        account = identity.account(name)
        if account is None:
            what = f"No account '{name}' among yours." if name else "This API key has no data account; name one."
            raise InvalidInput(what)
        instrument = self._instrument(Caller(identity, account, TradingMode.LIVE), asked)
        last = (await self._quotes(account.id, [instrument], Mode.QUOTE)).get(instrument)
        if last is None:
            raise BrokerError(f"There is no price of {instrument.exchange}:{instrument.symbol}.")
        named: dict[str, Any] = {"symbol": instrument.symbol, "exchange": instrument.exchange.value}
        if self._simulated(account.id):
            named["simulated"] = True
        age = last.age_ms(self._clock.now_ms())
        return {"account": account.id, "broker": account.broker, "data": {**named, **last.fields, "age_ms": age}}


_Doing = Callable[[DeskActions, Caller, Asked], Awaitable[dict[str, Any]]]
_DOINGS: dict[str, _Doing] = {
    "place_order": DeskActions._place,
    "place_orders": DeskActions._place_all,
    "modify_order": DeskActions._modify,
    "cancel_order": DeskActions._cancel,
    "place_gtt": DeskActions._place_gtt,
    "modify_gtt": DeskActions._modify_gtt,
    "cancel_gtt": DeskActions._cancel_gtt,
    "get_order": DeskActions._order,
    "get_orderbook": DeskActions._orderbook,
    "get_tradebook": DeskActions._tradebook,
    "get_positions": DeskActions._positions,
    "get_holdings": DeskActions._holdings,
    "get_funds": DeskActions._funds,
    "get_gtts": DeskActions._gtts,
}


def _reference(asked: Asked) -> str:
    return asked.needed("order_id", "orderid", "id", "client_order_id")


def _result(one: Order | Exception) -> dict[str, Any]:
    if isinstance(one, Order):
        return {"status": "success", **rows.reply_row(one)}
    if isinstance(one, SangamError):
        return {"status": "error", **told(one)}
    log.error("An order of several failed", exc_info=one)
    return {"status": "error", **told(puzzled())}


def _data(caller: Caller, data: object) -> dict[str, Any]:
    account = caller.account
    return {"mode": caller.mode.word, "account": account.id, "broker": account.broker, "data": data}


async def _listed(items: Iterable[T], row: Callable[[T], rows.Row]) -> msgspec.Raw:
    """The rows as JSON, made in slices: a book of thousands must not hold the ticks up."""
    pieces: list[bytes] = []
    for count, item in enumerate(items, 1):
        pieces.append(_encode(row(item)))
        if count % _SLICE == 0:
            await asyncio.sleep(0)
    return msgspec.Raw(b"[" + b",".join(pieces) + b"]")
