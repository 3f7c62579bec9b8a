"""Market data: quotes and depth (specs: REST contract, 5.1 to 5.3)."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sangam.model.enums import Mode
from sangam.model.errors import BrokerError, SymbolNotFound
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Instrument
from sangam.model.market import DepthLevel
from sangam.prices.last import Last

from .deps import ApiDeps
from .errors import ApiError, ErrorCode, success
from .gate import Gate, concerning
from .requests import Named, Pair, Several
from .stream import in_turns

LEVELS = 5

AT_ONCE = 20
"""Symbols that are looked up before others have a turn: a millisecond's work where they are not in memory."""


def make_router(deps: ApiDeps, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["market data"])

    async def quoted(account: AccountInfo, wanted: Pair, mode: Mode) -> Last:
        with concerning(account):
            instrument = deps.master(account.id).lookup(wanted.symbol, wanted.exchange)
            told = await deps.quotes(account.id, [instrument], mode)
            if instrument not in told:
                raise BrokerError(f"There is no price of {wanted.exchange}:{wanted.symbol}.")
            return told[instrument]

    @router.post("/quotes", summary="Price, day's range, best bid and ask")
    async def quotes(wanted: Named, request: Request) -> Response:
        """`age_ms` tells how old the price is; it is streamed, not fetched, when somebody listens to the symbol."""
        account = gate.account(wanted, request)
        last = await quoted(account, wanted, Mode.QUOTE)
        return success(data=quote_data(last, deps.clock.now_ms()), **deps.marked(account.id))

    @router.post("/multiquotes", summary="Quotes of many symbols")
    async def multiquotes(wanted: Several, request: Request) -> Response:
        """Symbols that cannot be quoted come first, with `error` instead of `data`."""
        account = gate.account(wanted, request)
        rows: list[dict[str, Any]] = []
        found: list[Instrument] = []
        with concerning(account):
            master = deps.master(account.id)
            async for pair in in_turns(wanted.symbols, AT_ONCE):
                try:
                    found.append(master.lookup(pair.symbol, pair.exchange))
                except SymbolNotFound as error:
                    rows.append({"symbol": pair.symbol, "exchange": pair.exchange, "error": str(error)})
            if not found:
                text = "None of the symbols was found."
                raise ApiError(400, ErrorCode.INVALID_INPUT, text, invalid_symbols=rows)
            told = await deps.quotes(account.id, found, Mode.QUOTE)
        now = deps.clock.now_ms()
        async for instrument in in_turns(found, AT_ONCE):
            row: dict[str, Any] = {"symbol": instrument.symbol, "exchange": instrument.exchange}
            last = told.get(instrument)
            rows.append(row | ({"data": quote_data(last, now)} if last else {"error": "There is no price."}))
        rows.sort(key=lambda row: "data" in row)
        return success(results=rows, **deps.marked(account.id))

    @router.post("/depth", summary="Quote and the five best bids and asks")
    async def depth(wanted: Named, request: Request) -> Response:
        account = gate.account(wanted, request)
        last = await quoted(account, wanted, Mode.DEPTH)
        return success(data=depth_data(last, deps.clock.now_ms()), **deps.marked(account.id))

    return router


def quote_data(last: Last, now_ms: int) -> dict[str, float | int | None]:
    """Numbers throughout; what a wire does not tell (an index has no volume) is 0, as clients of this API expect.

    The last key is ours: some clients search for a comma behind open, high and low."""
    fields = last.fields
    return {
        "open": fields.get("open", 0),
        "high": fields.get("high", 0),
        "low": fields.get("low", 0),
        "ltp": fields.get("ltp", 0),
        "ask": fields.get("ask_price", 0),
        "bid": fields.get("bid_price", 0),
        "prev_close": fields.get("close", 0),
        "volume": fields.get("volume", 0),
        "oi": fields.get("oi", 0),
        "age_ms": last.age_ms(now_ms),
    }


def depth_data(last: Last, now_ms: int) -> dict[str, Any]:
    """Both sides have five rows, filled up with zeros."""
    fields, book = last.fields, last.depth
    return {
        "open": fields.get("open", 0),
        "high": fields.get("high", 0),
        "low": fields.get("low", 0),
        "ltp": fields.get("ltp", 0),
        "ltq": fields.get("last_trade_quantity", 0),
        "prev_close": fields.get("close", 0),
        "volume": fields.get("volume", 0),
        "oi": fields.get("oi", 0),
        "totalbuyqty": fields.get("total_buy_quantity", 0),
        "totalsellqty": fields.get("total_sell_quantity", 0),
        "bids": _side(book.buy if book else []),
        "asks": _side(book.sell if book else []),
        "age_ms": last.age_ms(now_ms),
    }


def _side(rows: Sequence[DepthLevel]) -> list[dict[str, float | int]]:
    shown: list[dict[str, float | int]] = [{"price": row.price, "quantity": row.quantity} for row in rows[:LEVELS]]
    return shown + [{"price": 0, "quantity": 0}] * (LEVELS - len(shown))
