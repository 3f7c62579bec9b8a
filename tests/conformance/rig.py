"""A broker's real folder and the real rooms above it, against its simulator: what every case is given."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from tests.conformance.matrix import World
from tests.conformance.stands import Stand
from tests.conformance.streaming import ACCOUNT, Streaming
from tests.support import wait_for
from tests.toy_broker import ToyMaster

from sangam.brokers.contract import BrokerSpec, Limit, Operation, RowRefused, Session, Stream, Trading
from sangam.feed.pool import Caps
from sangam.model.books import GttLeg
from sangam.model.clock import IST
from sangam.model.enums import Action, PriceType, Product
from sangam.model.enums import Exchange as Code
from sangam.model.instrument import Instrument, Named
from sangam.model.order import Order, OrderUpdate, TradingMode
from sangam.orders.live import Live
from sangam.orders.protection import protect
from sangam.simulators import Exchange, Simulator
from sangam.simulators.listing import listing
from sangam.simulators.market import Market
from sangam.simulators.orders import Order as Stored
from sangam.transport.http import HttpDriver, HttpTiming

T = TypeVar("T")

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
"""A Tuesday, with all markets open."""

IMPATIENT = HttpTiming(write=1.0, write_wait=0.5)


class Morning:
    """The real clock, moved to a trading morning."""

    def __init__(self) -> None:
        self._ahead = MORNING.timestamp() - time.monotonic()

    def now_ms(self) -> int:
        return round((self._ahead + time.monotonic()) * 1000)

    def monotonic(self) -> float:
        return time.monotonic()


class Rig:
    """`session` is the account's now; `sent` counts how often a write was announced before its first byte."""

    def __init__(self, spec: BrokerSpec, stand: Stand, simulator: Simulator, clock: Morning) -> None:
        self.spec = spec
        self.stand = stand
        self.simulator = simulator
        self.exchange = simulator.exchange
        self.clock = clock
        self.driver = HttpDriver(clock)
        self.session = self.session_of(simulator.credentials)
        self.live = self._live()
        self.sent = 0
        self._orders = 0
        self._known: ToyMaster | None = None
        self._strangers: list[Instrument] = []

    @property
    def client(self) -> str:
        return self.stand.client(self.simulator)

    def _live(self) -> Live:
        return Live(self.driver, lambda account: self.spec, lambda account: self.session)

    async def hurry(self) -> None:
        """From now on a write is waited for a second rather than ten."""
        await self.driver.close()
        self.driver = HttpDriver(self.clock, IMPATIENT)
        self.live = self._live()

    @property
    def trading(self) -> Trading:
        assert self.spec.trading is not None
        return self.spec.trading

    # --- sessions -----------------------------------------------------------------------------------------------------

    def session_of(self, secrets: Mapping[str, str], generation: int = 1, **more: Any) -> Session:
        return Session(
            account=ACCOUNT,
            broker=self.spec.name,
            generation=generation,
            secrets=dict(secrets),
            hosts=more.pop("hosts", self.simulator.hosts),
            **more,
        )

    def kept(self, **instead: str) -> Session:
        """What the account keeps, before any login."""
        names = {field.name for field in self.spec.login.kept}
        secrets = {name: value for name, value in self.simulator.credentials.items() if name in names}
        return self.session_of({**secrets, **instead}, 0)

    def log_in(self) -> Session:
        """Another login at the broker, and its session."""
        self.session = self.session_of(self.simulator.new_login(), self.session.generation + 1)
        return self.session

    @property
    def swift(self) -> tuple[HttpDriver, BrokerSpec, Session]:
        """Another account of the same session, whose requests wait for no turn: for cases that ask often and are not
        about that."""
        session = msgspec.structs.replace(self.session, account="swift")
        return self.driver, replace(self.spec, limits=()), session

    async def run(self, operation: Operation[T], session: Session | None = None) -> T:
        return await self.driver.run(self.spec, session or self.session, operation)

    async def check(self, session: Session | None = None) -> str:
        """Who the broker says we are."""
        session = session or self.session
        return await self.run(self.spec.login.check(session, self.driver.ctx()), session)

    # --- instruments and their markets --------------------------------------------------------------------------------

    async def files(self) -> list[bytes]:
        return await self.run(self.spec.instruments.download(self.session, self.driver.ctx()))

    async def rows(self) -> list[Instrument | RowRefused]:
        return list(self.spec.instruments.parse(await self.files()))

    async def instruments(self) -> list[Instrument]:
        return [row for row in await self.rows() if isinstance(row, Instrument)]

    async def master(self) -> ToyMaster:
        if self._known is None:
            self._known = ToyMaster(*await self.instruments(), *self._strangers)
        return self._known

    @staticmethod
    def stranger(like: Instrument) -> Instrument:
        """What the broker has not, named as it names its own."""
        token = re.sub(r"\d", "9", like.token)
        return msgspec.structs.replace(like, symbol="NOSUCH", brsymbol="NOSUCH", token=token)

    def know(self, stranger: Instrument) -> None:
        """Let our list have an instrument that the broker has not."""
        self._strangers.append(stranger)
        self.forget()

    def forget(self) -> None:
        """The list is another one today."""
        self._known = None

    async def named(self, symbol: str, exchange: Code) -> Instrument:
        return (await self.master()).lookup(symbol, exchange.value)

    async def share(self) -> Instrument:
        return await self.named("SBIN", Code.NSE)

    async def future(self) -> Instrument:
        return await self.named("NIFTY25AUG26FUT", Code.NFO)

    async def one_of(self, exchange: Code) -> Instrument:
        """Any instrument of an exchange, a future where it has some."""
        symbols = sorted(row.symbol for row in self.exchange.contracts if row.exchange is exchange)
        return await self.named(next((each for each in symbols if each.endswith("FUT")), symbols[0]), exchange)

    async def tells_of(self, row: Named, instrument: Instrument) -> bool:
        """Whether a row of the broker's is about an instrument, by token or name; a name that is told must be right."""
        named = (await self.master()).named(row)
        return named == instrument and row.brsymbol in ("", instrument.brsymbol)

    def market(self, instrument: Instrument) -> Market:
        return self.exchange.market(instrument.symbol, instrument.exchange)

    def ltp(self, instrument: Instrument) -> float:
        market = self.market(instrument)
        return market.rupees(market.ltp)

    def trade(self, seconds: float = 1.0) -> None:
        """Let the market go on for so long."""
        self.exchange.step(seconds)

    # --- orders -------------------------------------------------------------------------------------------------------

    def near(self, instrument: Instrument, percent: float) -> Decimal:
        """A whole-rupee price so far from the last one."""
        return Decimal(round(self.ltp(instrument) * (1 + percent / 100)))

    def order(self, instrument: Instrument, action: Action = Action.BUY, **terms: Any) -> Order:
        """An order for ten shares or one lot: LIMIT, intraday, five percent off the market, unless told otherwise. Its
        prices suit its type, and it is protected where the broker takes none at the market, as the router does it."""
        self._orders += 1
        up = 1 if action is Action.BUY else -1
        kind = terms.get("price_type", PriceType.LIMIT)
        plain = Order(
            id=f"L-{'123456' if self.trading.tag.kind == 'int' else 'ABCDEFG'}{self._orders:03d}",
            account=ACCOUNT,
            user="u1",
            broker=self.spec.name,
            mode=TradingMode.LIVE,
            symbol=instrument.symbol,
            exchange=instrument.exchange,
            action=action,
            quantity=10 if instrument.expiry is None else instrument.lot_size,
            price_type=PriceType.LIMIT,
            product=Product.MIS,
        )
        if kind is PriceType.LIMIT:
            plain = msgspec.structs.replace(plain, price=self.near(instrument, -5 * up))
        elif kind is not PriceType.MARKET:
            plain = msgspec.structs.replace(plain, trigger_price=self.near(instrument, 5 * up))
            if kind is PriceType.SL:
                plain = msgspec.structs.replace(plain, price=self.near(instrument, 6 * up))
        plain = msgspec.structs.replace(plain, **terms)
        if not self.trading.takes(kind):
            last = Decimal(str(self.ltp(instrument)))
            sent = protect(plain.price_type, plain.action, plain.trigger_price, instrument, last)
            if sent is not None:
                plain = msgspec.structs.replace(plain, sent_price_type=sent.price_type, sent_price=sent.price)
        return plain

    def gtt_leg(self, trigger: Decimal, price: Decimal) -> GttLeg:
        """Sell ten shares at a trigger: with a limit where the broker's triggers take one, else at the market."""
        gtt = self.trading.gtt
        limit = gtt is not None and PriceType.LIMIT in gtt.price_types
        kind, price = (PriceType.LIMIT, price) if limit else (PriceType.MARKET, Decimal(0))
        return GttLeg(trigger=trigger, action=Action.SELL, quantity=10, price=price, price_type=kind)

    async def sending(self) -> None:
        self.sent += 1

    async def place(self, order: Order, instrument: Instrument, wait: float | None = None) -> Order:
        """Send an order; it has its id at the broker then."""
        taken = await self.live.place(ACCOUNT, order, instrument, self.sending, urgent=False, wait=wait)
        return msgspec.structs.replace(order, order_id=taken.order_id, native=taken.native)

    async def told(self, order: Order) -> OrderUpdate:
        """The order's row in the broker's book."""
        return next(row for row in await self.live.orders(ACCOUNT) if row.order_id == order.order_id)

    def stored(self, order: Order) -> Stored:
        """The one order that the exchange has under our tag."""
        (found,) = self.all_stored(order)
        return found

    def all_stored(self, order: Order) -> list[Stored]:
        return [row for row in self.exchange.ledger.of(self.client) if row.tag.startswith(order.our_tag)]

    def elsewhere(self, instrument: Instrument, action: Action = Action.BUY, **terms: Any) -> Stored:
        """The account's owner places an order by another program."""
        asked: dict[str, Any] = {
            "quantity": 10,
            "price_type": PriceType.LIMIT,
            "price": float(self.near(instrument, -5)),
            **terms,
        }
        return self.exchange.place(self.client, instrument.symbol, instrument.exchange, action, **asked)

    def move(self, instrument: Instrument, percent: float) -> None:
        """Somebody else trades through the book until the last price is so far from here, and offers more there."""
        market, target = self.market(instrument), float(self.near(instrument, percent))
        up, one = percent > 0, instrument.lot_size
        stands = sum(row.quantity for row in market.book.depth(not up, 1000))
        ask, bid = (Action.SELL, Action.BUY) if up else (Action.BUY, Action.SELL)
        for action, quantity in ((ask, 100 * one), (bid, stands + one)):
            where = (instrument.symbol, instrument.exchange)
            self.exchange.place("somebody", *where, action, quantity, PriceType.LIMIT, price=target)
        assert self.ltp(instrument) == target

    # --- streams ------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def streaming(self, caps: Caps | None = None, **of_streams: Any) -> AsyncIterator[Streaming]:
        """The account's feed, in this session; `of_streams` are figures of the broker's streams to replace. Whatever a
        client lets go is gone at once rather than after five seconds, and what was lost is tried again at once. Where
        `silence` is replaced, signs of life come so much more often, and wires that have none keep none."""
        silence = of_streams.pop("silence", None)
        streams = tuple(
            _quicker(replace(stream, **{"linger": 0.01, "cooldown": 0.0, **of_streams}), silence)
            for stream in self.spec.streams
        )
        streaming = Streaming(self, replace(self.spec, streams=streams), caps)
        try:
            await streaming.start()
            yield streaming
        finally:
            await streaming.feed.stop()


def _quicker(stream: Stream, silence: float | None) -> Stream:
    if silence is None:
        return stream
    return replace(
        stream,
        silence=stream.silence and silence,
        heartbeat=stream.heartbeat and silence / 4,
        ping=stream.ping and silence / 4,
    )


def _unlimited(spec: BrokerSpec) -> BrokerSpec:
    """Limits that are never reached: at the broker's pace most cases would spend their time waiting for it."""
    return replace(spec, limits=tuple(Limit(row.lane, 100_000, row.window) for row in spec.limits))


@asynccontextmanager
async def rig_for(spec: BrokerSpec, stand: Stand, world: World) -> AsyncIterator[Rig]:
    """A broker with a market of its own that moves when the case says so; its limits count where its simulator minds.
    Leaves no task behind."""
    before = asyncio.all_tasks()
    clock = Morning()
    contracts = (lambda day: listing(day, strikes=40)) if world.wide else listing
    async with stand.open(Exchange(clock=clock, contracts=contracts), world) as simulator:
        rig = Rig(spec if world.limits else _unlimited(spec), stand, simulator, clock)
        try:
            yield rig
        finally:
            await rig.driver.close()
    await wait_for(lambda: not asyncio.all_tasks() - before, what="no task left")
