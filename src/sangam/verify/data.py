"""DATA: quotes and candles by request."""

import re
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import msgspec

from sangam.brokers.contract import Data
from sangam.model.calendar import SESSIONS
from sangam.model.clock import IST
from sangam.model.enums import Exchange as Code
from sangam.model.enums import InstrumentType
from sangam.model.errors import NotSent, RateLimited, Refused, SessionExpired, Unknown
from sangam.model.instrument import Instrument

from . import needs, prices
from .checks import Skip, Wrong, check, expect
from .subject import Subject

_DAY = 86_400
_UNITS = {"s": 1, "m": 60, "h": 3600}
_DAYS_OFF = 2
"""So many days may have one kind of bar and not the other: evenings and Saturdays of special sessions."""
_ANSWERED = 0.9


def data(subject: Subject) -> Data:
    if subject.spec.data is None:
        raise Skip(f"{subject.spec.title} answers no requests for market data")
    return subject.spec.data


async def stranger(subject: Subject) -> Instrument:
    """An instrument that the broker has not, named as it names its own."""
    share = await subject.share()
    return msgspec.structs.replace(share, symbol="NOSUCH", brsymbol="NOSUCH", token=re.sub(r"\d", "9", share.token))


@check("DATA-01", needs.QUOTES)
async def _(subject: Subject) -> None:
    """The quote of a share: last price, the day's prices, the previous close, volume."""
    share = await subject.share()
    prices.plausible((await subject.quote(share)).fields, share, "ltp", "open", "high", "low", "close", "volume")


@check("DATA-02", needs.QUOTES, open_on=Code.NSE)
async def _(subject: Subject) -> None:
    """A quote has the book, best first, with five levels of each side."""
    prices.book((await subject.quote(await subject.share())).depth, 5, whole=True)


@check("DATA-03", needs.QUOTES, needs.exchange(Code.NSE_INDEX))
async def _(subject: Subject) -> None:
    """An index has a price and neither volume nor book."""
    index = await subject.instrument(Code.NSE_INDEX)
    patch = await subject.quote(index)
    prices.plausible(patch.fields, index, "ltp", "open", "high", "low", "close")
    expect(not patch.fields.get("volume"), "the index has a volume")
    expect(patch.depth is None or not (patch.depth.buy or patch.depth.sell), "the index has a book")


@check("DATA-04", needs.QUOTES, needs.exchange(Code.NFO))
async def _(subject: Subject) -> None:
    """Derivatives have open interest."""
    future = await subject.instrument(Code.NFO)
    fields = (await subject.quote(future)).fields
    prices.plausible(fields, future, "ltp", "oi")
    expect(fields["oi"] > 0, "there is no open interest")


def scaled(number: int, code: Code, title: str) -> None:
    @check(f"DATA-{number:02d}", needs.QUOTES, needs.exchange(code), title=title)
    async def _(subject: Subject) -> None:
        contract = await subject.instrument(code)
        prices.plausible((await subject.quote(contract)).fields, contract, "ltp", "close")


scaled(5, Code.CDS, "Currencies keep their four decimals")
scaled(6, Code.MCX, "Commodities have prices of their own scale")


@check("DATA-07", needs.QUOTES)
async def _(subject: Subject) -> None:
    """More instruments than one request takes are answered, in the order of the question."""
    asked = (await subject.survey()).shares[: data(subject).quote_batch + 10]
    if len(asked) <= data(subject).quote_batch:
        raise Skip(f"the list has no {data(subject).quote_batch} shares of NSE")
    told = await subject.quotes(asked)
    expect([one for one in asked if one in told] == list(told), "the order is another one")
    expect(len(told) >= _ANSWERED * len(asked), f"{len(told)} of {len(asked)} shares were answered")


@check("DATA-08", needs.QUOTES)
async def _(subject: Subject) -> None:
    """What the broker does not know is missing from the answer and harms no other."""
    share = await subject.share()
    told = await subject.quotes([await stranger(subject), share])
    expect(list(told) == [share], "the answer has other instruments")


@check("DATA-09", needs.QUOTES)
async def _(subject: Subject) -> None:
    """The time of a quote is the exchange's, in epoch milliseconds."""
    fields = (await subject.quote(await subject.share())).fields
    known = [name for name in ("timestamp", "ltt") if name in fields]
    expect(known, "no time is told")
    for name, moment in (("timestamp", fields.get("timestamp")), ("ltt", fields.get("ltt"))):
        if moment is not None:
            prices.recent(moment, subject.now, name, subject.is_open(Code.NSE))


async def begins(subject: Subject, instrument: Instrument, interval: str, first: date, last: date) -> list[datetime]:
    """When the bars of a span begin: in India, of days as the date at 00:00 UTC."""
    bars = await subject.candles(instrument, interval, first, last)
    for bar in bars:
        expect(bar.low <= min(bar.open, bar.close), f"a bar of {interval} opens or closes below its low")
        expect(bar.high >= max(bar.open, bar.close), f"a bar of {interval} opens or closes above its high")
    return [datetime.fromtimestamp(bar.timestamp, UTC if interval == "D" else IST) for bar in bars]


@check("DATA-14", needs.CANDLES)
async def _(subject: Subject) -> None:
    """Each interval of the broker's table: ascending bars of that length, none twice."""
    share = await subject.share()
    for interval in data(subject).intervals:
        starts = await begins(subject, share, interval, subject.today - timedelta(days=7), subject.today)
        expect(starts, f"no bars of {interval} in a week")
        steps = [round((after - before).total_seconds()) for before, after in pairwise(starts)]
        length = _DAY if interval == "D" else int(interval[:-1]) * _UNITS[interval[-1]]
        expect(min(steps, default=length) == length, f"bars of {interval} are {min(steps, default=0)} s apart")


@check("DATA-15", needs.CANDLES)
async def _(subject: Subject) -> None:
    """A day is India's: minutes from the opening to the close, and a daily bar at 00:00 UTC of its date."""
    share, day, hours = await subject.share(), subject.last_day(Code.NSE), SESSIONS[Code.NSE]
    hours = subject.rooms.calendar.session(day, Code.NSE) or hours
    minutes = await begins(subject, share, "1m", day, day)
    expect(minutes, f"no minutes of {day}")
    expect(minutes[0] == datetime.combine(day, hours.start, IST), f"the first minute of {day} is {minutes[0]:%H:%M}")
    expect(minutes[-1] < datetime.combine(day, hours.end, IST), f"the last minute of {day} is {minutes[-1]:%H:%M}")
    days = await begins(subject, share, "D", day, day)
    expect(days == [datetime.combine(day, time(), UTC)], f"the daily bars of {day} begin {', '.join(map(str, days))}")


@check("DATA-16", needs.CANDLES)
async def _(subject: Subject) -> None:
    """A span longer than one request: joined without a gap and without a double bar."""
    share = await subject.share()
    if "15m" not in data(subject).intervals:
        raise Skip("the broker has no bars of 15 minutes")
    last = subject.last_day(Code.NSE)
    first = last - timedelta(days=data(subject).intervals["15m"].days + 10)
    quarters = {start.date() for start in await begins(subject, share, "15m", first, last)}
    days = {start.date() for start in await begins(subject, share, "D", first, last)}
    expect(len(quarters ^ days) <= _DAYS_OFF, f"{len(quarters ^ days)} days have bars of one length only")


@check("DATA-18", needs.CANDLES, needs.CANDLE_OI, needs.exchange(Code.NFO))
async def _(subject: Subject) -> None:
    """Candles of derivatives have open interest."""
    future = await subject.instrument(Code.NFO)
    expect(future.instrument_type is InstrumentType.FUT, "no future is listed")
    bars = await subject.candles(future, "15m", subject.today - timedelta(days=7), subject.today)  # days may have none
    expect(bars, "no bars in a week")
    expect(any(bar.oi > 0 for bar in bars), "there is no open interest")


@check("DATA-19", needs.CANDLES)
async def _(subject: Subject) -> None:
    """A weekend has no bars, which is no error."""
    since = (subject.today.weekday() + 2) % 7
    saturday = subject.today - timedelta(days=since if since > 1 else since + 7)  # of a weekend that is over
    while any(subject.traded(saturday + timedelta(days=more), Code.NSE) for more in (0, 1)):
        saturday -= timedelta(days=7)
    bars = await begins(subject, await subject.share(), "D", saturday, saturday + timedelta(days=1))
    expect(not bars, f"{len(bars)} bars of a weekend")


@check("DATA-21", needs.CANDLES)
async def _(subject: Subject) -> None:
    """Candles of an instrument that the broker does not know are an error, not an empty list."""
    try:
        await subject.candles(await stranger(subject), "D", subject.last_day(Code.NSE), subject.today)
    except (SessionExpired, RateLimited, NotSent):
        raise
    except (Refused, Unknown):
        return
    raise Wrong("the broker answered with a list")
