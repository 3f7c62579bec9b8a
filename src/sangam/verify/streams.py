"""STREAM: market data over sockets, as the running feed has it."""

from sangam.model.enums import Exchange as Code
from sangam.model.enums import Mode
from sangam.model.instrument import Instrument
from sangam.prices.last import Last

from . import needs, prices
from .checks import check, expect
from .subject import Subject

_NAMES = {
    Mode.LTP: ("ltp",),
    Mode.QUOTE: ("ltp", "open", "high", "low", "close", "volume"),
    Mode.DEPTH: ("ltp",),
}


def in_mode(number: int, mode: Mode, what: str) -> None:
    @check(f"STREAM-{number:02d}", needs.mode(mode), title=f"Mode {mode.label}: {what}, at once and after a move")
    async def _(subject: Subject) -> None:
        share = await subject.share()
        async with subject.listening(share, mode) as ear:
            sound(await ear.told(), share, mode, subject.is_open(Code.NSE))
            sound(await ear.moved(), share, mode, subject.is_open(Code.NSE))


def sound(last: Last, instrument: Instrument, mode: Mode, is_open: bool) -> None:
    prices.plausible(last.fields, instrument, *_NAMES[mode])
    if mode is Mode.DEPTH:
        prices.book(last.depth, 5, whole=False)
        expect(not is_open or (last.depth is not None and last.depth.buy), "the book has no buyers")


in_mode(1, Mode.LTP, "the last price")
in_mode(2, Mode.QUOTE, "the day's prices and volume")
in_mode(3, Mode.DEPTH, "both sides of the book")


def with_book(number: int, levels: int) -> None:
    @check(
        f"STREAM-{number:02d}", needs.book(levels), open_on=Code.NSE, title=f"A book of {levels} levels, after a move"
    )
    async def _(subject: Subject) -> None:
        async with subject.listening(await subject.share(), Mode.DEPTH, levels) as ear:
            await ear.told()
            if levels > 5:
                await ear.deep()
            prices.book((await ear.moved()).depth, levels, whole=True)


for _number, _levels in enumerate((5, 20, 30, 50, 200), 4):
    with_book(_number, _levels)


@check("STREAM-10", needs.mode(Mode.LTP), needs.mode(Mode.DEPTH))
async def _(subject: Subject) -> None:
    """From LTP up to Depth: the book comes."""
    share = await subject.share()
    async with subject.listening(share, Mode.LTP) as ear:
        await ear.told()
        async with subject.listening(share, Mode.DEPTH) as deep:
            prices.book((await deep.told()).depth, 5, whole=False)


@check("STREAM-26", needs.mode(Mode.DEPTH), open_on=Code.NSE)
async def _(subject: Subject) -> None:
    """Times are the exchange's, in epoch milliseconds."""
    async with subject.listening(await subject.share(), Mode.DEPTH) as ear:
        last = await ear.told()
        prices.recent(last.fields["timestamp"], subject.now, "timestamp", is_open=True)
        if "ltt" in last.fields:
            prices.recent(last.fields["ltt"], subject.now, "ltt", is_open=True)


def of_exchange(number: int, code: Code, what: str) -> None:
    number_of = f"STREAM-{number:02d}"

    @check(number_of, needs.streamed(code), needs.mode(Mode.DEPTH), open_on=code, title=f"{code}: {what}")
    async def _(subject: Subject) -> None:
        instrument = await subject.instrument(code)
        async with subject.listening(instrument, Mode.DEPTH) as ear:
            last = await ear.told()
        prices.plausible(last.fields, instrument, "ltp", "close")
        if code.is_index:
            expect(not last.fields.get("volume"), "the index has a volume")
            expect(last.depth is None or not (last.depth.buy or last.depth.sell), "the index has a book")
        elif instrument.expiry is not None:
            expect(last.fields.get("oi"), "there is no open interest")


for _number, (_code, _what) in enumerate(needs.EXCHANGES.items(), 27):
    of_exchange(_number, _code, _what)
