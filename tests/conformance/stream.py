"""STREAM: market data over sockets, through the account's feed."""

from tests.conformance.matrix import World, case
from tests.conformance.rig import Rig
from tests.conformance.streaming import ACCOUNT, first_stream
from tests.support import wait_for

from sangam.feed.pool import Caps
from sangam.feed.port import Granted, Refused
from sangam.model.enums import AccountState, Mode
from sangam.model.enums import Exchange as Code
from sangam.model.instrument import Level
from sangam.verify import needs


def in_mode(number: int, mode: Mode, what: str) -> None:
    @case(f"STREAM-{number:02d}", needs.mode(mode), title=f"Mode {mode.label}: {what}, at once and after each move")
    async def _(rig: Rig) -> None:
        share = await rig.share()
        async with rig.streaming() as feed:
            feed.want(share, mode)
            await feed.shows(share, mode)
            for _ in range(3):
                before = rig.market(share).updates
                rig.trade()
                assert rig.market(share).updates > before
                await feed.shows(share, mode)


in_mode(1, Mode.LTP, "the last price")
in_mode(2, Mode.QUOTE, "the day's prices and volume")
in_mode(3, Mode.DEPTH, "both sides of the book")


def with_book(number: int, levels: int) -> None:
    @case(f"STREAM-{number:02d}", needs.book(levels), title=f"A book of {levels} levels, whole after each move")
    async def _(rig: Rig) -> None:
        share = await rig.share()
        rig.market(share).deepen(levels)
        async with rig.streaming() as feed:
            feed.want(share, Mode.DEPTH, levels)
            await feed.shows(share, Mode.DEPTH, levels)
            rig.trade()
            await feed.shows(share, Mode.DEPTH, levels)


for _number, _levels in enumerate((5, 20, 30, 50, 200), 4):
    with_book(_number, _levels)


@case("STREAM-09", needs.mode(Mode.DEPTH))
async def _(rig: Rig) -> None:
    """A book deeper than any on offer: the deepest there is is granted, and said."""
    share = await rig.share()
    async with rig.streaming() as feed:
        answer = feed.feed.want(ACCOUNT, share.symbol, share.exchange.value, Level(Mode.DEPTH, 1000))
        assert isinstance(answer, Granted)
        assert answer.level.depth == max(needs.offered_modes(rig.spec)["Depth"])


@case("STREAM-10", needs.mode(Mode.LTP), needs.mode(Mode.DEPTH))
async def _(rig: Rig) -> None:
    """From LTP up to Depth: the book comes without another move of the market."""
    share = await rig.share()
    async with rig.streaming() as feed:
        feed.want(share)
        await feed.shows(share)
        feed.want(share, Mode.DEPTH)
        await feed.shows(share, Mode.DEPTH)


@case("STREAM-11", needs.mode(Mode.LTP), needs.mode(Mode.DEPTH))
async def _(rig: Rig) -> None:
    """From Depth down to LTP: a book that is no longer told is forgotten, prices go on."""
    share = await rig.share()
    async with rig.streaming() as feed:
        deep = feed.want(share, Mode.DEPTH)
        feed.want(share)
        await feed.shows(share, Mode.DEPTH)
        feed.feed.release(deep)
        await wait_for(lambda: feed.last(share).depth is None, what="a forgotten book")
        rig.trade()
        last = await feed.shows(share)
        assert "bid_price" not in last.fields


@case("STREAM-12", needs.STREAMS)
async def _(rig: Rig) -> None:
    """What nobody wants any more is unsubscribed at the broker."""
    share, future = await rig.share(), await rig.future()
    async with rig.streaming() as feed:
        going = feed.want(share)
        feed.want(future)
        await feed.shows(share)
        await feed.shows(future)
        feed.feed.release(going)
        await wait_for(lambda: feed.carried() == {(future.symbol, future.exchange)}, what="one subscription")
        rig.trade()
        await feed.shows(future)


@case("STREAM-13", needs.STREAMS, world=World(wide=True))
async def _(rig: Rig) -> None:
    """More instruments than go into one message are all subscribed and told."""
    carries = first_stream(rig.spec.streams).carries
    everything = [row for row in await rig.instruments() if row.exchange in carries.exchanges]
    everything = everything[: first_stream(rig.spec.streams).limits.symbols_per_socket]
    async with rig.streaming() as feed:
        for instrument in everything:
            feed.want(instrument)
        for instrument in everything:
            await feed.shows(instrument)


@case("STREAM-14", needs.SEVERAL_SOCKETS)
async def _(rig: Rig) -> None:
    """A full socket is followed by the next, up to the broker's number; beyond that the refusal is honest."""
    stream = first_stream(rig.spec.streams)
    sockets, room = stream.limits.sockets, 4
    wanted = [row for row in await rig.instruments() if row.exchange is Code.NSE][: sockets * room + 1]
    async with rig.streaming(Caps(symbols_per_socket=room)) as feed:
        for instrument in wanted[:-1]:
            feed.want(instrument)
        for instrument in wanted[:-1]:
            await feed.shows(instrument)
        carried = [len(session.subscriptions) for session in rig.simulator.sessions if session.subscriptions]
        assert carried == [room] * sockets
        more = wanted[-1]
        answer = feed.feed.want(ACCOUNT, more.symbol, more.exchange.value, Level(Mode.LTP))
        assert isinstance(answer, Refused)
        assert answer.code == "MAX_CAPACITY_REACHED"


@case("STREAM-15", needs.STREAMS)
async def _(rig: Rig) -> None:
    """More sockets than the broker allows today: it says so, the feed tries on, and the session is not called dead."""
    share = await rig.share()
    rig.simulator.faults.max_sockets = 0
    async with rig.streaming() as feed:
        feed.want(share)
        await feed.state(AccountState.RECONNECTING)
        rig.simulator.faults.max_sockets = None
        await feed.shows(share)


@case("STREAM-16", needs.HEARTBEAT)
async def _(rig: Rig) -> None:
    """A market that does not move is no dead socket: the broker's heartbeat keeps it up."""
    share = await rig.share()
    async with rig.streaming(silence=0.6) as feed:
        feed.want(share)
        await feed.shows(share)
        began = rig.clock.monotonic()
        await wait_for(lambda: rig.clock.monotonic() - began > 1.0, what="more than the silence allowed")
        assert feed.reconnects == 0
        await feed.live()


@case("STREAM-17", needs.HEARTBEAT)
async def _(rig: Rig) -> None:
    """A socket that falls silent is opened anew, and everything is told again."""
    share = await rig.share()
    async with rig.streaming(silence=0.3) as feed:
        feed.want(share)
        await feed.shows(share)
        rig.simulator.faults.mute = True
        await wait_for(lambda: feed.reconnects > 0, what="another attempt")
        rig.simulator.faults.mute = False
        rig.trade()
        await feed.shows(share)


@case("STREAM-18", needs.HEARTBEAT)
async def _(rig: Rig) -> None:
    """A half-open connection is found out, and replaced."""
    share = await rig.share()
    async with rig.streaming(silence=0.3) as feed:
        feed.want(share)
        await feed.shows(share)
        rig.simulator.faults.freeze()
        await feed.reconnected()
        rig.trade()
        await feed.shows(share)


@case("STREAM-19", needs.STREAMS)
async def _(rig: Rig) -> None:
    """A connection that is reset comes back with all subscriptions."""
    share, future = await rig.share(), await rig.future()
    async with rig.streaming() as feed:
        feed.want(share, Mode.QUOTE)
        feed.want(future)
        await feed.shows(share, Mode.QUOTE)
        rig.simulator.faults.kill_sockets()
        await feed.reconnected()
        rig.trade()
        await feed.shows(share, Mode.QUOTE)
        await feed.shows(future)


@case("STREAM-20", needs.STREAMS)
async def _(rig: Rig) -> None:
    """A connection that is closed politely, or in the middle of a frame, comes back too."""
    share = await rig.share()
    async with rig.streaming() as feed:
        feed.want(share)
        await feed.shows(share)
        for fault in (rig.simulator.faults.close_sockets, rig.simulator.faults.reset_mid_frame):
            before = feed.reconnects
            fault()
            await feed.reconnected(before)
            rig.trade()
            await feed.shows(share)


@case("STREAM-21", needs.STREAMS)
async def _(rig: Rig) -> None:
    """A refused upgrade that is no matter of credentials (HTTP 503) is tried again."""
    share = await rig.share()
    rig.simulator.faults.refuse_upgrades(503, 2)
    async with rig.streaming() as feed:
        feed.want(share)
        await feed.shows(share)
        await wait_for(lambda: feed.reconnects == 2, what="an attempt after each refusal, on whichever socket")


@case("STREAM-22", needs.STREAMS)
async def _(rig: Rig) -> None:
    """A dead credential at the upgrade ends the attempts until the next login."""
    share = await rig.share()
    rig.simulator.expire_token()
    async with rig.streaming() as feed:
        await feed.state(AccountState.AUTH_EXPIRED)
        rig.log_in()
        await feed.open()
        feed.want(share)
        await feed.shows(share)


@case("STREAM-23", needs.STREAMS)
async def _(rig: Rig) -> None:
    """Frames of nonsense and frames without an end cost themselves and nothing else."""
    share = await rig.share()
    async with rig.streaming() as feed:
        feed.want(share, Mode.QUOTE)
        await feed.shows(share, Mode.QUOTE)
        rig.simulator.faults.send_garbage()
        rig.simulator.faults.send_truncated()
        rig.trade()
        await feed.shows(share, Mode.QUOTE)
        assert feed.reconnects == 0


@case("STREAM-24", needs.STREAMS)
async def _(rig: Rig) -> None:
    """A name that the broker's list has not is refused; a token that the broker has not harms no other."""
    share = await rig.share()
    stranger = rig.stranger(share)
    rig.know(stranger)
    async with rig.streaming() as feed:
        answer = feed.feed.want(ACCOUNT, "NOBODY", Code.NSE.value, Level(Mode.LTP))
        assert isinstance(answer, Refused)
        assert answer.code == "SYMBOL_NOT_FOUND"
        feed.want(stranger)
        feed.want(share)
        await feed.shows(share)
        assert "ltp" not in feed.last(stranger).fields


@case("STREAM-25", needs.STREAMS)
async def _(rig: Rig) -> None:
    """After a night in which all tokens change, the same names stream the same contracts."""
    share = await rig.share()
    async with rig.streaming() as feed:
        feed.want(share, Mode.QUOTE)
        await feed.shows(share, Mode.QUOTE)
        rig.exchange.renumber()
        rig.forget()
        rig.log_in()
        await feed.open()
        rig.trade()
        await feed.shows(await rig.share(), Mode.QUOTE)


@case("STREAM-26", needs.mode(Mode.DEPTH))
async def _(rig: Rig) -> None:
    """Times are the exchange's, in epoch milliseconds, to the second."""
    share = await rig.share()
    async with rig.streaming() as feed:
        feed.want(share, Mode.DEPTH)
        last = await feed.shows(share, Mode.DEPTH)
        assert abs(last.fields["timestamp"] - rig.market(share).updated) < 2000
        assert abs(last.fields["ltt"] - rig.market(share).ltt) < 2000


def of_exchange(number: int, code: Code, what: str) -> None:
    title = f"{code.value}: {what}"

    @case(f"STREAM-{number:02d}", needs.streamed(code), needs.mode(Mode.DEPTH), title=title)
    async def _(rig: Rig) -> None:
        instrument = await rig.one_of(code)
        async with rig.streaming() as feed:
            feed.want(instrument, Mode.DEPTH)
            last = await feed.shows(instrument, Mode.DEPTH)
            if code.is_index:
                assert not last.fields.get("volume")
                assert last.depth is None or not (last.depth.buy or last.depth.sell)
                assert last.tells(Mode.DEPTH)
            elif instrument.expiry is not None:
                assert last.fields.get("oi") == rig.market(instrument).oi
            rig.trade()
            await feed.shows(instrument, Mode.DEPTH)


for _number, (_code, _what) in enumerate(needs.EXCHANGES.items(), 27):
    of_exchange(_number, _code, _what)
