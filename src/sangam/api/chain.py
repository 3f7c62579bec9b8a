"""The option chain (specs: REST contract, 7.2)."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sangam.instruments.ladder import Ladder
from sangam.instruments.options import expiry_ms, find_expiry, find_ladder, find_underlying
from sangam.model.enums import Mode
from sangam.model.instrument import Instrument, expiry_text
from sangam.prices.last import Last

from .deps import ApiDeps
from .errors import success
from .gate import Gate, concerning
from .greeks import YEAR_MS, greek_data, ltp, synthetic
from .requests import Chain
from .stream import in_turns

AT_ONCE = 10
"""Strikes that are computed before others have a turn: a millisecond's work."""


def make_router(deps: ApiDeps, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["options"])

    @router.post("/optionchain", summary="Calls and puts of one expiry around the money, quoted")
    async def optionchain(wanted: Chain, request: Request) -> Response:
        account = gate.account(wanted, request)
        with concerning(account, unknown_symbol=404):
            master = deps.master(account.id)
            of = find_underlying(master, wanted.underlying, wanted.exchange, deps.today())
            spot = await deps.quotes(account.id, [of.quoted], Mode.QUOTE)
            price = ltp(spot, of.quoted)
            expiry = find_expiry(master, of, wanted.expiry_date, deps.today())
            ladder = find_ladder(master, of, expiry, price)
            rungs = master.chain(of.base, of.exchange, expiry, ladder.atm, wanted.strike_count)
            legs = [leg for rung in rungs for leg in (rung.ce, rung.pe) if leg is not None]
            told = await deps.quotes(account.id, legs, Mode.QUOTE)
        now, dies = deps.clock.now_ms(), expiry_ms(expiry, of.exchange)
        money = next(((rung.ce, rung.pe) for rung in rungs if rung.strike == ladder.atm), (None, None))
        forward = (synthetic(told, money[0], money[1]) if money[0] and money[1] else None) or price
        every = Ladder([rung.strike for rung in rungs], ladder.atm)
        chain = []
        async for rung in in_turns(rungs, AT_ONCE):
            row: dict[str, Any] = {"strike": rung.strike}
            for side, leg in (("ce", rung.ce), ("pe", rung.pe)):
                row[side] = _leg(leg, every, told) if leg else None
                if leg and wanted.with_greeks and dies > now:
                    row[side] |= _flat(
                        greek_data(leg, row[side]["ltp"], forward, (dies - now) / YEAR_MS, wanted.interest_rate / 100)
                    )
            chain.append(row)
        return success(
            underlying=of.base,
            underlying_symbol=of.quoted.symbol,
            underlying_exchange=of.quoted.exchange,
            underlying_ltp=price,
            underlying_prev_close=spot[of.quoted].fields.get("close", 0),
            expiry_date=expiry_text(expiry),
            expiry_ts=dies,
            server_ts=now,
            atm_strike=ladder.atm,
            quotes_included=True,
            greeks_included=wanted.with_greeks,
            forward_price=round(forward, 4),
            chain=chain,
            **deps.marked(account.id),
        )

    return router


def _leg(leg: Instrument, ladder: Ladder, told: Mapping[Instrument, Last]) -> dict[str, Any]:
    """Zeros where there is no price: an option that nobody traded is still listed."""
    fields = told[leg].fields if leg in told else {}
    return {
        "symbol": leg.symbol,
        "label": ladder.label(leg.strike, leg.instrument_type),
        "ltp": fields.get("ltp", 0),
        "bid": fields.get("bid_price", 0),
        "ask": fields.get("ask_price", 0),
        "bid_qty": fields.get("bid_size", 0),
        "ask_qty": fields.get("ask_size", 0),
        "open": fields.get("open", 0),
        "high": fields.get("high", 0),
        "low": fields.get("low", 0),
        "prev_close": fields.get("close", 0),
        "volume": fields.get("volume", 0),
        "oi": fields.get("oi", 0),
        "lotsize": leg.lot_size,
        "tick_size": leg.tick_size,
    }


def _flat(figures: Mapping[str, Any]) -> dict[str, float]:
    greeks = figures["greeks"]
    return {
        "implied_volatility": figures["implied_volatility"],
        **{name: greeks[name] for name in ("delta", "gamma", "theta", "vega")},
    }
