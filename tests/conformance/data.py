"""DATA: quotes and candles by request."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from tests.conformance.matrix import World, case
from tests.conformance.rig import MORNING, Rig
from tests.conformance.streaming import expected, side

from sangam.feed.market_data import history, quotes
from sangam.model.calendar import SESSIONS
from sangam.model.clock import IST
from sangam.model.enums import Exchange as Code
from sangam.model.enums import Mode
from sangam.model.errors import BrokerError, InvalidInput, RateLimited, SessionExpired, Unknown
from sangam.model.instrument import Instrument
from sangam.model.market import Patch
from sangam.verify import needs

TODAY = MORNING.date()
MONDAY = TODAY - timedelta(days=1)


async def quote(rig: Rig, instrument: Instrument) -> Patch:
    return (await quotes(rig.driver, rig.spec, rig.session, [instrument]))[instrument]


async def agrees(rig: Rig, instrument: Instrument) -> Patch:
    """A quote that tells what the exchange has."""
    market, patch = rig.market(instrument), await quote(rig, instrument)
    wanted = expected(market, Mode.QUOTE)
    assert {name: patch.fields.get(name) for name in wanted} == wanted
    return patch


@case("DATA-01", needs.QUOTES)
async def _(rig: Rig) -> None:
    """The quote of a share: last price, the day's prices, the previous close, volume."""
    await agrees(rig, await rig.share())


@case("DATA-02", needs.QUOTES)
async def _(rig: Rig) -> None:
    """A quote has the book, best first, with five levels of each side."""
    share = await rig.share()
    depth = (await agrees(rig, share)).depth
    assert depth is not None
    for rows, buy in ((depth.buy, True), (depth.sell, False)):
        assert [(row.price, row.quantity) for row in rows] == side(rig.market(share), buy, 5)
        assert len(rows) == 5


@case("DATA-03", needs.QUOTES, needs.exchange(Code.NSE_INDEX))
async def _(rig: Rig) -> None:
    """An index has a price and neither volume nor book."""
    patch = await agrees(rig, await rig.named("NIFTY", Code.NSE_INDEX))
    assert patch.depth is None or not (patch.depth.buy or patch.depth.sell)
    assert not patch.fields.get("volume")


@case("DATA-04", needs.QUOTES, needs.exchange(Code.NFO))
async def _(rig: Rig) -> None:
    """Derivatives have open interest."""
    future = await rig.future()
    assert (await agrees(rig, future)).fields.get("oi") == rig.market(future).oi > 0


@case("DATA-05", needs.QUOTES, needs.exchange(Code.CDS))
async def _(rig: Rig) -> None:
    """Currencies keep their four decimals."""
    pair = await rig.one_of(Code.CDS)
    assert pair.decimals == 4
    await agrees(rig, pair)


@case("DATA-06", needs.QUOTES, needs.exchange(Code.MCX))
async def _(rig: Rig) -> None:
    """Commodities have prices of their own scale."""
    await agrees(rig, await rig.one_of(Code.MCX))


@case("DATA-07", needs.QUOTES, world=World(wide=True))
async def _(rig: Rig) -> None:
    """More instruments than one request takes are all answered, in the order of the question."""
    everything = await rig.instruments()
    assert rig.spec.data is not None
    assert len(everything) > rig.spec.data.quote_batch
    everything = everything[: max(2 * rig.spec.data.quote_batch + 1, 5)]  # each request has its pace
    assert list(await quotes(*rig.swift, everything)) == everything


@case("DATA-08", needs.QUOTES)
async def _(rig: Rig) -> None:
    """What the broker does not know is missing from the answer and harms no other."""
    share = await rig.share()
    assert list(await quotes(rig.driver, rig.spec, rig.session, [rig.stranger(share), share])) == [share]


@case("DATA-09", needs.QUOTES)
async def _(rig: Rig) -> None:
    """The times of a quote are the exchange's, in epoch milliseconds, to the second; that of the quote itself or that
    of its last trade may be untold."""
    share = await rig.share()
    fields = (await quote(rig, share)).fields
    market = rig.market(share)
    assert fields.keys() & {"timestamp", "ltt"}
    assert abs(fields.get("timestamp", market.updated) - market.updated) < 2000
    assert abs(fields.get("ltt", market.ltt) - market.ltt) < 2000


@case("DATA-10", needs.QUOTES)
async def _(rig: Rig) -> None:
    """Too many requests (HTTP 429) are told so, and as no other failure."""
    share = await rig.share()
    rig.simulator.faults.refuse_requests(429)
    with pytest.raises(RateLimited):
        await quote(rig, share)


@case("DATA-11", needs.QUOTES)
async def _(rig: Rig) -> None:
    """A broker in trouble (HTTP 502) answers nothing, and the session lives on."""
    share = await rig.share()
    rig.simulator.faults.refuse_requests(502)
    with pytest.raises(Unknown):
        await quote(rig, share)
    assert await rig.check() == rig.client


@case("DATA-12", needs.QUOTES)
async def _(rig: Rig) -> None:
    """A dead session gets no quotes and is told so."""
    share = await rig.share()
    rig.simulator.expire_token()
    with pytest.raises(SessionExpired):
        await quote(rig, share)


@case("DATA-13", needs.QUOTES, needs.LIMITS, world=World(limits=True))
async def _(rig: Rig) -> None:
    """Requests wait for their turn instead of being refused by the broker."""
    share = await rig.share()
    for _ in range(2):
        await quote(rig, share)
    for _ in range(12):
        await rig.check()
    assert rig.stand.too_many(rig.simulator) == 0


async def candles(rig: Rig, instrument: Instrument, interval: str, start: date, end: date = TODAY) -> list[datetime]:
    """When the bars of a span begin, in India."""
    bars = await history(*rig.swift, instrument, interval, start, end)
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
    zone = UTC if interval == "D" else IST
    return [datetime.fromtimestamp(bar.timestamp, zone) for bar in bars]


@case("DATA-14", needs.CANDLES)
async def _(rig: Rig) -> None:
    """Each interval of the broker's table: ascending bars of that length, none twice."""
    share = await rig.share()
    assert rig.spec.data is not None
    for interval in rig.spec.data.intervals:
        bars = await history(*rig.swift, share, interval, MONDAY - timedelta(days=4), MONDAY)
        begins = [bar.timestamp for bar in bars]
        assert begins == sorted(set(begins))
        units = {"m": 60, "h": 3600}
        length = 86_400 if interval == "D" else int(interval[:-1]) * units[interval[-1]]
        assert min(after - before for before, after in pairwise(begins)) == length


@case("DATA-15", needs.CANDLES)
async def _(rig: Rig) -> None:
    """A day is India's: minutes from the opening to the close, and a daily bar at 00:00 UTC of its date."""
    share = await rig.share()
    minutes = await candles(rig, share, "1m", MONDAY, MONDAY)
    hours = SESSIONS[Code.NSE]
    assert (minutes[0].date(), minutes[0].time()) == (MONDAY, hours.start)
    assert minutes[-1] < datetime.combine(MONDAY, hours.end, IST)
    assert await candles(rig, share, "D", MONDAY, MONDAY) == [datetime.combine(MONDAY, datetime.min.time(), UTC)]


@case("DATA-16", needs.CANDLES)
async def _(rig: Rig) -> None:
    """A span longer than one request: joined without a gap and without a double bar."""
    share = await rig.share()
    assert rig.spec.data is not None
    span = rig.spec.data.intervals["15m"].days + 10
    start = TODAY - timedelta(days=span)
    days = {bar.date() for bar in await candles(rig, share, "15m", start)}
    assert days == {bar.date() for bar in await candles(rig, share, "D", start)}
    assert span // 2 < len(days) < span


@case("DATA-17", needs.CANDLES)
async def _(rig: Rig) -> None:
    """The bars of a day add up to the day's bar; today's is the quote's."""
    share = await rig.share()
    ask = (*rig.swift, share)
    (day,) = await history(*ask, "D", MONDAY, MONDAY)
    quarters = await history(*ask, "15m", MONDAY, MONDAY)
    assert (quarters[0].open, quarters[-1].close) == (day.open, day.close)
    assert sum(bar.volume for bar in quarters) == day.volume
    (now,) = await history(*ask, "D", TODAY, TODAY)
    assert now.close == rig.ltp(share)


@case("DATA-18", needs.CANDLES, needs.CANDLE_OI, needs.exchange(Code.NFO))
async def _(rig: Rig) -> None:
    """Candles of derivatives have open interest."""
    start = MONDAY - timedelta(days=4)  # of days some brokers tell none
    bars = await history(rig.driver, rig.spec, rig.session, await rig.future(), "15m", start, MONDAY)
    assert bars
    assert all(bar.oi > 0 for bar in bars)


@case("DATA-19", needs.CANDLES)
async def _(rig: Rig) -> None:
    """A weekend has no bars, which is no error."""
    saturday = TODAY - timedelta(days=3)
    assert await candles(rig, await rig.share(), "15m", saturday, saturday + timedelta(days=1)) == []


@case("DATA-20", needs.CANDLES)
async def _(rig: Rig) -> None:
    """An interval that the broker has not is refused before it is asked."""
    with pytest.raises(InvalidInput, match="no interval '7m'"):
        await candles(rig, await rig.share(), "7m", MONDAY)


@case("DATA-21", needs.CANDLES)
async def _(rig: Rig) -> None:
    """Candles of an instrument that the broker does not know are an error, not an empty list."""
    stranger = rig.stranger(await rig.share())
    with pytest.raises(BrokerError):
        await candles(rig, stranger, "D", MONDAY)
