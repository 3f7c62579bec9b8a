"""Greeks of options by Black-76 (specs: REST contract, 7.3 and 7.4)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, NamedTuple, ParamSpec, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sangam.instruments.ladder import Ladder
from sangam.instruments.master import Master
from sangam.instruments.options import expiry_ms, find_quoted
from sangam.model import black76
from sangam.model.enums import Exchange, InstrumentType, Mode
from sangam.model.errors import BrokerError, InvalidInput, SangamError
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Instrument, expiry_text, parse_symbol
from sangam.prices.last import Last

from .deps import ApiDeps
from .errors import ApiError, CompactJson, ErrorCode, success
from .gate import Gate, concerning
from .requests import Greeks, GreeksOf, GreeksTerms, ManyGreeks

P = ParamSpec("P")
T = TypeVar("T")

YEAR_MS = black76.DAYS * 86_400_000
DAY_MS = 86_400_000


class _Option(NamedTuple):
    """What one result is made of; `spot` tells its underlying's price."""

    instrument: Instrument
    base: str
    expiry: date
    spot: Instrument


def make_router(deps: ApiDeps, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["options"])

    @router.post("/optiongreeks", summary="Implied volatility and greeks of one option")
    async def optiongreeks(wanted: Greeks, request: Request) -> Response:
        """Black-76 on the forward: the given one, else strike + call - put at the money, else the spot."""
        with _unauthorized():
            account = gate.account(wanted, request, greeks=True)
            with concerning(account, unknown_symbol=404):
                (result,) = await results(account, [wanted], wanted, wanted.forward_price)
                if isinstance(result, SangamError):
                    raise result
        return success(**result, **deps.marked(account.id))

    @router.post("/multioptiongreeks", summary="Implied volatilities and greeks of up to 50 options")
    async def multioptiongreeks(wanted: ManyGreeks, request: Request) -> Response:
        with _unauthorized():
            account = gate.account(wanted, request, greeks=True)
            with concerning(account, unknown_symbol=404):
                told = await results(account, wanted.symbols, wanted, None)
        rows = [
            {"status": "error", "symbol": one.symbol, "exchange": one.exchange, "message": str(result)}
            if isinstance(result, SangamError)
            else {"status": "success", **result}
            for one, result in zip(wanted.symbols, told, strict=True)
        ]
        good = sum(row["status"] == "success" for row in rows)
        status = "success" if good == len(rows) else "partial" if good else "error"
        summary = {"total": len(rows), "success": good, "failed": len(rows) - good}
        return CompactJson({"status": status, "data": rows, "summary": summary, **deps.marked(account.id)})

    async def results(
        account: AccountInfo, wanted: Sequence[GreeksOf], terms: GreeksTerms, forward: float | None
    ) -> list[dict[str, Any] | SangamError]:
        """One for each wanted option, in order: the figures, or why there are none. All prices come in two calls."""
        master = deps.master(account.id)
        today = deps.today()
        options = [_attempt(_find, master, one, today) for one in wanted]
        good = [option for option in options if isinstance(option, _Option)]
        asked = [instrument for option in good for instrument in (option.instrument, option.spot)]
        told = dict(await deps.quotes(account.id, asked, Mode.QUOTE)) if asked else {}
        pairs = {} if forward else {option: pair for option in good if (pair := _pair(master, option, told))}
        if pairs:
            told |= await deps.quotes(account.id, [one for pair in pairs.values() for one in pair], Mode.QUOTE)

        def figures(option: _Option) -> dict[str, Any]:
            premium, spot = ltp(told, option.instrument), ltp(told, option.spot)
            pair = pairs.get(option)
            ahead = forward or (synthetic(told, *pair) if pair else None) or spot
            at = expiry_ms(option.expiry, option.instrument.exchange, terms.expiry_time)
            left = at - deps.clock.now_ms()
            if left <= 0:
                raise InvalidInput(f"{option.instrument.symbol} has expired.")
            rate = terms.interest_rate or 0.0
            return {
                "symbol": option.instrument.symbol,
                "exchange": option.instrument.exchange,
                "underlying": option.base,
                "strike": option.instrument.strike,
                "option_type": option.instrument.instrument_type,
                "expiry_date": _long(option.expiry),
                "days_to_expiry": round(left / DAY_MS, 4),
                "spot_price": spot,
                "forward_price": round(ahead, 4),
                "option_price": premium,
                "interest_rate": rate,
                **greek_data(option.instrument, premium, ahead, left / YEAR_MS, rate / 100),
            }

        return [_attempt(figures, option) if isinstance(option, _Option) else option for option in options]

    return router


def greek_data(option: Instrument, premium: float, forward: float, years: float, rate: float) -> dict[str, Any]:
    """Implied volatility in percent and the greeks; without time value there is none, and the note says so."""
    right, strike = option.instrument_type, option.strike
    sigma = black76.implied_volatility(right, premium, forward, strike, years, rate)
    if sigma is None:
        inner = black76.intrinsic(right, forward, strike)
        sign = 1 if right is InstrumentType.CE else -1
        return {
            "implied_volatility": 0.0,
            "greeks": {
                "delta": sign * (1.0 if inner > 0 else 0.0),
                "gamma": 0.0,
                "theta": 0.0,
                "vega": 0.0,
                "rho": 0.0,
            },
            "intrinsic_value": round(inner, 4),
            "time_value": round(premium - inner, 4),
            "note": "No volatility explains this price: it has no time value, or is out of date.",
        }
    told = black76.greeks(right, forward, strike, years, rate, sigma)
    return {
        "implied_volatility": round(sigma * 100, 2),
        "greeks": {
            "delta": round(told.delta, 4),
            "gamma": round(told.gamma, 6),
            "theta": round(told.theta, 4),
            "vega": round(told.vega, 4),
            "rho": round(told.rho, 6),
        },
    }


def synthetic(told: Mapping[Instrument, Last], call: Instrument, put: Instrument) -> float | None:
    """The price of the future that a call and a put of one strike make; None without both prices."""
    up, down = (told[one].fields.get("ltp", 0.0) if one in told else 0.0 for one in (call, put))
    return call.strike + up - down if up > 0 and down > 0 else None


def ltp(told: Mapping[Instrument, Last], instrument: Instrument) -> float:
    """Raises BrokerError where there is no price."""
    price = told[instrument].fields.get("ltp", 0.0) if instrument in told else 0.0
    if price <= 0:
        raise BrokerError(f"There is no price of {instrument.exchange}:{instrument.symbol}.")
    return price


def _find(master: Master, wanted: GreeksOf, today: date) -> _Option:
    instrument = master.lookup(wanted.symbol, wanted.exchange)
    parsed = parse_symbol(instrument.symbol)
    if parsed is None or parsed.kind is InstrumentType.FUT:
        raise InvalidInput(f"{wanted.symbol} is not an option.")
    if wanted.underlying_symbol and wanted.underlying_exchange:
        spot = master.lookup(wanted.underlying_symbol, wanted.underlying_exchange)
    else:
        spot = find_quoted(master, wanted.underlying_symbol or parsed.base, instrument.exchange, today)
    return _Option(instrument, parsed.base, parsed.expiry, spot)


def _pair(master: Master, option: _Option, told: Mapping[Instrument, Last]) -> tuple[Instrument, Instrument] | None:
    """The call and the put at the money of the option's expiry."""
    if option.spot not in told:
        return None
    exchange: Exchange = option.instrument.exchange
    strikes = master.strikes(option.base, exchange, option.expiry)
    strike = Ladder(strikes, told[option.spot].fields.get("ltp", 0.0)).atm
    call, put = (
        master.option(option.base, exchange, option.expiry, strike, right)
        for right in (InstrumentType.CE, InstrumentType.PE)
    )
    return (call, put) if call and put else None


def _attempt(make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | SangamError:
    """Its value, or the error that it raised."""
    try:
        return make(*args, **kwargs)
    except SangamError as error:
        return error


def _long(day: date) -> str:
    """``25-Aug-2026``, whatever the locale."""
    number, month, _ = expiry_text(day, "-").split("-")
    return f"{number}-{month.title()}-{day.year}"


@contextmanager
def _unauthorized() -> Iterator[None]:
    """These two answer a bad key or a dead session with 401, all others with 403."""
    try:
        yield
    except ApiError as error:
        if error.code is ErrorCode.INVALID_TOKEN:
            error.status = 401
        raise
