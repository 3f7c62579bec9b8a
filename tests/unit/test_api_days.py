"""Holidays and timings."""

from datetime import date, datetime, time

import pytest
from tests.served import Served

from sangam.model.clock import IST


def ms(day: str, at: str) -> int:
    return int(datetime.combine(date.fromisoformat(day), time.fromisoformat(at), IST).timestamp() * 1000)


async def test_the_holidays_of_a_year(served: Served) -> None:
    told = (await served.post("market/holidays")).json()
    assert (told["year"], told["timezone"]) == (2026, "Asia/Kolkata")
    days = {row["date"]: row for row in told["data"]}
    assert list(days) == sorted(days)
    assert days["2026-11-10"] == {
        "date": "2026-11-10",
        "description": "Diwali Balipratipada",
        "holiday_type": "TRADING_HOLIDAY",
        "closed_exchanges": ["NSE", "NFO", "CDS", "BSE", "BFO", "BCD", "NSE_INDEX", "BSE_INDEX"],
        "open_exchanges": [
            {"exchange": name, "start_time": ms("2026-11-10", "17:00"), "end_time": ms("2026-11-10", "23:55")}
            for name in ("MCX", "NCO", "MCX_INDEX")
        ],
    }
    assert days["2026-02-01"]["holiday_type"] == "SPECIAL_SESSION"
    assert (await served.post("market/holidays", year="2031")).json()["data"] == []


@pytest.mark.parametrize(
    ("day", "exchanges"),
    [
        ("2026-08-03", ["NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX", "NCO", "CRYPTO"]),
        ("2026-08-08", ["CRYPTO"]),
        ("2026-12-25", []),
        ("2026-11-24", ["MCX", "NCO", "CRYPTO"]),
        ("2026-02-01", ["NSE", "BSE", "NFO", "BFO", "NCO", "CRYPTO"]),
    ],
)
async def test_the_sessions_of_a_day(served: Served, day: str, exchanges: list[str]) -> None:
    rows = (await served.post("market/timings", date=day)).json()["data"]
    assert [row["exchange"] for row in rows] == exchanges
    if exchanges and exchanges[0] == "NSE":
        assert rows[0] == {"exchange": "NSE", "start_time": ms(day, "09:15"), "end_time": ms(day, "15:30")}


async def test_no_key_is_asked_but_everybody_has_a_rate(served: Served) -> None:
    statuses = [(await served.client.post("/api/v1/market/holidays", json={})).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]


@pytest.mark.parametrize(
    ("path", "body"),
    [("holidays", {"year": 1999}), ("holidays", {"year": True}), ("timings", {}), ("timings", {"date": "3 Aug"})],
)
async def test_bad_questions(served: Served, path: str, body: dict[str, object]) -> None:
    reply = await served.post(f"market/{path}", **body)
    assert reply.status_code == 400
    assert set(reply.json()["message"]) == (set(body) or {"date"})
