"""The exchanges' days: holidays of a year, and the sessions of a date. Nobody's key is asked (specs: contract, 8)."""

from datetime import date, datetime, time

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sangam.model.calendar import Session
from sangam.model.clock import IST
from sangam.model.enums import Exchange

from .deps import ApiDeps
from .errors import success
from .gate import Gate
from .requests import OnDay, Year

SHOWN = (
    Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO, Exchange.CDS, Exchange.BCD, Exchange.MCX, Exchange.NCO,
    Exchange.CRYPTO,
)  # fmt: skip


def make_router(deps: ApiDeps, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/api/v1/market", tags=["utility"])

    @router.post("/holidays", summary="Days of a year on which exchanges are closed or trade at other hours")
    async def holidays(wanted: Year, request: Request) -> Response:
        gate.stranger(request)
        year = wanted.year or deps.today().year
        rows = [
            {
                "date": holiday.date.isoformat(),
                "description": holiday.description,
                "holiday_type": "TRADING_HOLIDAY" if holiday.closed else "SPECIAL_SESSION",
                "closed_exchanges": [exchange.value for exchange in Exchange if exchange in holiday.closed],
                "open_exchanges": [
                    _row(exchange, holiday.date, holiday.sessions[exchange])
                    for exchange in Exchange
                    if exchange in holiday.sessions
                ],
            }
            for holiday in deps.calendar.holidays(year)
        ]
        return success(year=year, timezone="Asia/Kolkata", data=rows)

    @router.post("/timings", summary="When the exchanges trade on a date")
    async def timings(wanted: OnDay, request: Request) -> Response:
        """Epoch milliseconds. A weekend has only what never closes, a full holiday nothing at all."""
        gate.stranger(request)
        day = wanted.date
        sessions = {exchange: deps.calendar.session(day, exchange) for exchange in SHOWN}
        rows = [_row(exchange, day, session) for exchange, session in sessions.items() if session is not None]
        holiday = day.weekday() < 5 and all(row["exchange"] == Exchange.CRYPTO for row in rows)
        return success(data=[] if holiday else rows)

    return router


def _row(exchange: Exchange, day: date, session: Session) -> dict[str, str | int]:
    return {
        "exchange": exchange.value,
        "start_time": _ms(day, session.start),
        "end_time": _ms(day, session.end),
    }


def _ms(day: date, at: time) -> int:
    return int(datetime.combine(day, at, IST).timestamp() * 1000)
