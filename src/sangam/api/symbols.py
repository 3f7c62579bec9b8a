"""Instruments: one, a search, expiries, all of them (specs: REST contract, 6)."""

import asyncio
import csv
import io
import zlib
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Query as InQuery
from fastapi.responses import Response, StreamingResponse

from sangam.instruments.master import Kind, Master
from sangam.instruments.schema import NAMES, Row
from sangam.model.errors import SymbolNotFound
from sangam.model.instrument import Instrument, expiry_text, parse_symbol

from .deps import ApiDeps
from .errors import ApiError, CompactJson, ErrorCode, success
from .gate import Gate, concerning
from .requests import Expiries, Listing, Named, Query
from .stream import json_list, threaded

SEARCH_LIMIT = 500


def make_router(deps: ApiDeps, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["symbols"])

    @router.post("/symbol", summary="What an instrument is")
    async def symbol(wanted: Named, request: Request) -> Response:
        account = gate.account(wanted, request)
        with concerning(account):
            master = deps.master(account.id)
            try:
                instrument = master.lookup(wanted.symbol, wanted.exchange)
            except SymbolNotFound as error:
                text = f"Symbol {error.symbol} not found in exchange {error.exchange}"
                raise ApiError(404, ErrorCode.INVALID_INPUT, text) from error
        identifier = zlib.crc32(f"{instrument.exchange}:{instrument.symbol}".encode()) >> 1
        return success(data={"id": identifier, **symbol_data(instrument, master)})

    @router.post("/search", summary="Instruments by words of their symbol or name")
    async def search(wanted: Query, request: Request) -> Response:
        """Every word must be found; the likeliest come first, at most 500."""
        account = gate.account(wanted, request)
        if not wanted.query.strip():
            raise ApiError(400, ErrorCode.INVALID_INPUT, "Query parameter is required and cannot be empty")
        with concerning(account):
            master = deps.master(account.id)
        found = await asyncio.to_thread(master.search, wanted.query, wanted.exchange, SEARCH_LIMIT)
        text = f"Found {len(found)} matching symbols" if found else "No matching symbols found"
        return success(message=text, data=[symbol_data(instrument, master) for instrument in found])

    @router.post("/expiry", summary="Expiry dates of an underlying's futures or options")
    async def expiry(wanted: Expiries, request: Request) -> Response:
        """Ascending, from today on."""
        account = gate.account(wanted, request)
        kind: Kind = wanted.instrumenttype
        parsed = parse_symbol(wanted.symbol)
        base = parsed.base if parsed else wanted.symbol
        with concerning(account):
            days = deps.master(account.id).expiries(base, wanted.exchange, kind, deps.today())
        what = f"for {wanted.symbol} {kind} in {wanted.exchange}"
        text = f"Found {len(days)} expiry dates {what}" if days else f"No expiry dates found {what}"
        return success(message=text, data=[expiry_text(day, "-") for day in days])

    @router.get("/instruments", summary="All instruments, or those of one exchange, as JSON or CSV")
    async def instruments(wanted: Annotated[Listing, InQuery()], request: Request) -> Response:
        return listed(wanted, request)

    @router.post("/instruments", include_in_schema=False)
    async def instruments_by_post(wanted: Listing, request: Request) -> Response:
        return listed(wanted, request)

    def listed(wanted: Listing, request: Request) -> Response:
        account = gate.account(wanted, request)
        with concerning(account):
            chunks = deps.master(account.id).rows(wanted.exchange)
        if wanted.format == "csv":
            name = f"{wanted.exchange or 'all'}_instruments.csv"
            headers = {"Content-Disposition": f'attachment; filename="{name}"'}
            return StreamingResponse(threaded(_csv(chunks)), media_type="text/csv", headers=headers)
        head = b'{"status":"success","message":"Instruments of %s","data":[' % (wanted.exchange or "all").encode()
        rows = ([dict(zip(NAMES, row, strict=True)) for row in chunk] for chunk in chunks)
        return StreamingResponse(threaded(json_list(head, rows)), media_type=CompactJson.media_type)

    return router


def _csv(chunks: Iterator[list[Row]]) -> Iterator[bytes]:
    yield (",".join(NAMES) + "\r\n").encode()
    for chunk in chunks:
        text = io.StringIO()
        csv.writer(text).writerows(chunk)
        yield text.getvalue().encode()


def symbol_data(instrument: Instrument, master: Master) -> dict[str, str | float | int]:
    """A row of the master in the known columns; `freeze_qty` is 1 where it is not known."""
    return {
        "symbol": instrument.symbol,
        "brsymbol": instrument.brsymbol,
        "name": instrument.name,
        "exchange": instrument.exchange.value,
        "brexchange": instrument.brexchange,
        "token": instrument.token,
        "expiry": expiry_text(instrument.expiry, "-") if instrument.expiry else "",
        "strike": instrument.strike,
        "lotsize": instrument.lot_size,
        "instrumenttype": instrument.instrument_type.value,
        "tick_size": instrument.tick_size,
        "freeze_qty": master.freeze_quantity(instrument),
    }
