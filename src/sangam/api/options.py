"""Options of an underlying: one by its distance from the money, and the future they make
(specs: REST contract, 7.1, 7.5)."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sangam.instruments.options import find_expiry, find_ladder, find_option, find_underlying
from sangam.model.enums import InstrumentType, Mode
from sangam.model.instrument import expiry_text

from .deps import ApiDeps
from .errors import ApiError, ErrorCode, success
from .gate import Gate, concerning
from .greeks import ltp
from .requests import Offset, OfUnderlying


def make_router(deps: ApiDeps, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["options"])

    @router.post("/optionsymbol", summary="The option at a distance from the money")
    async def optionsymbol(wanted: Offset, request: Request) -> Response:
        account = gate.account(wanted, request)
        with concerning(account, unknown_symbol=404):
            master = deps.master(account.id)
            of = find_underlying(master, wanted.underlying, wanted.exchange, deps.today())
            price = ltp(await deps.quotes(account.id, [of.quoted], Mode.QUOTE), of.quoted)
            expiry = find_expiry(master, of, wanted.expiry_date, deps.today())
            ladder = find_ladder(master, of, expiry, price, wanted.strike_int)
            option = find_option(master, of, expiry, ladder, wanted.offset, InstrumentType(wanted.option_type.upper()))
        return success(
            symbol=option.symbol,
            exchange=option.exchange,
            lotsize=option.lot_size,
            tick_size=option.tick_size,
            freeze_qty=master.freeze_quantity(option),
            underlying_ltp=price,
            **deps.marked(account.id),
        )

    @router.post("/syntheticfuture", summary="The future that a call and a put at the money make")
    async def syntheticfuture(wanted: OfUnderlying, request: Request) -> Response:
        account = gate.account(wanted, request)
        with concerning(account, unknown_symbol=404):
            master = deps.master(account.id)
            of = find_underlying(master, wanted.underlying, wanted.exchange, deps.today())
            price = ltp(await deps.quotes(account.id, [of.quoted], Mode.QUOTE), of.quoted)
            expiry = find_expiry(master, of, wanted.expiry_date, deps.today())
            strike = find_ladder(master, of, expiry, price).atm
            call, put = (
                master.option(of.base, of.exchange, expiry, strike, right)
                for right in (InstrumentType.CE, InstrumentType.PE)
            )
            if call is None or put is None:
                text = f"{of.base} {expiry_text(expiry)} {strike:g} has not both a call and a put in {of.exchange}"
                raise ApiError(404, ErrorCode.INVALID_INPUT, text)
            told = await deps.quotes(account.id, [call, put], Mode.QUOTE)
            future = strike + ltp(told, call) - ltp(told, put)
        return success(
            underlying=of.base,
            underlying_ltp=price,
            expiry=expiry_text(expiry),
            atm_strike=strike,
            synthetic_future_price=round(future, 4),
            **deps.marked(account.id),
        )

    return router
