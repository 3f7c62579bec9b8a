"""Brokers trade against their own simulators over HTTP: each operation, and each mishap as the outcome that it is."""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from sangam.brokers import registry
from sangam.brokers.contract import BrokerSpec, Operation, Session
from sangam.brokers.trading import Trading
from sangam.model.books import GttLeg, MarginLeg
from sangam.model.clock import IST, ManualClock, SystemClock
from sangam.model.enums import Action, PriceType, Product
from sangam.model.enums import Exchange as Code
from sangam.model.errors import BrokerError, RateLimited, Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Change, Order, OrderUpdate, TradingMode, Validity
from sangam.orders.protection import protect
from sangam.simulators import Exchange, Simulator, create
from sangam.simulators.mishaps import Mishap
from sangam.simulators.retail import Retail
from sangam.transport.http import HttpDriver, HttpTiming

MORNING = datetime(2026, 8, 18, 10, 0, tzinfo=IST)
TRADES = [spec.name for spec in registry.load() if spec.trading is not None and not spec.simulated]

CARRIES_SHARES = {"mastertrust", "pocketful"}
"""Their documents' own samples are of shares under NRML (Master Trust: Place normal order; Position book)."""

UNANSWERED = {Mishap.TAKEN_IN_SILENCE, Mishap.TAKEN_ANSWERED_LATE}


class Rig:
    def __init__(self, name: str, simulator: Simulator, driver: HttpDriver) -> None:
        self.spec: BrokerSpec = registry.load()[name]
        self.simulator, self.driver = simulator, driver
        self.instruments: dict[str, Instrument] = {}
        self.session = Session(
            account="a1", broker=name, generation=1, secrets=simulator.credentials, hosts=simulator.hosts
        )
        self._numbers = iter(range(1, 100))

    @property
    def owner(self) -> str:
        assert isinstance(self.simulator, Retail)
        return self.simulator.user_id

    @property
    def trading(self) -> Trading:
        assert self.spec.trading is not None
        return self.spec.trading

    @property
    def session_and_ctx(self) -> tuple[Session, Any]:
        return self.session, self.driver.ctx()

    async def run(self, operation: Operation[Any]) -> Any:
        return await self.driver.run(self.spec, self.session, operation)

    async def learn(self) -> None:
        source: Any = self.spec.instruments
        files = await self.run(source.download(*self.session_and_ctx))
        rows = [row for row in source.parse(files) if isinstance(row, Instrument)]
        self.instruments = {row.symbol: row for row in rows if row.exchange in (Code.NSE, Code.NFO)}

    def order(self, **more: Any) -> Order:
        number = next(self._numbers)
        plain: dict[str, Any] = {"symbol": "SBIN", "exchange": Code.NSE, "action": Action.BUY, "quantity": 10}
        plain |= {"price_type": PriceType.LIMIT, "price": Decimal("1000.0"), "product": Product.MIS}
        tag = f"{100_000_000 + number}" if self.trading.tag.kind == "int" else f"AB{number:08d}"
        names = {"id": f"L-{tag}", "account": "a1", "user": "me", "broker": self.spec.name}
        return Order(**(names | {"mode": TradingMode.LIVE} | plain | more))

    async def place(self, order: Order) -> Any:
        """Protected where the broker takes no order at the market, as the router does it."""
        if not self.trading.takes(order.price_type):
            market = self.simulator.exchange.market(order.symbol, order.exchange)
            last = Decimal(str(market.rupees(market.ltp)))
            share = self.instruments[order.symbol]
            sent = protect(order.price_type, order.action, order.trigger_price, share, last)
            assert sent is not None
            order = msgspec.structs.replace(
                order,
                price_type=sent.price_type,
                price=sent.price,
                sent_price_type=sent.price_type,
                sent_price=sent.price,
            )
        return await self.run(self.trading.place(order, self.instruments[order.symbol], *self.session_and_ctx))

    async def book(self) -> dict[str, OrderUpdate]:
        rows: list[OrderUpdate] = await self.run(self.trading.orders(*self.session_and_ctx))
        return {row.order_id: row for row in rows}

    def taken(self, order: Order) -> int:
        tags = self.simulator.exchange.ledger.snapshot().tags(self.owner, len(order.our_tag))
        return len(tags.get(order.our_tag, []))


@pytest.fixture(params=TRADES)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with create(request.param, Exchange(clock=ManualClock(MORNING))) as simulator:
        rig = Rig(request.param, simulator, HttpDriver(SystemClock()))
        await rig.learn()
        yield rig
        simulator.faults.clear()
        await rig.driver.close()


async def test_an_order_and_its_changes(rig: Rig) -> None:
    order, trading = rig.order(tag="mine"), rig.trading
    taken = await rig.place(order)
    row = (await rig.book())[taken.order_id]
    assert row.tag == trading.tag.text(order)
    assert (row.status, row.quantity, row.price, row.pending_quantity) == ("open", 10, 1000.0, 10)
    known = rig.order(order_id=taken.order_id, native=taken.native)
    change = Change(quantity=20, price_type=PriceType.LIMIT, price=Decimal("1001.5"))
    await rig.run(trading.modify(known, change, rig.instruments["SBIN"], *rig.session_and_ctx))
    ones = [(await rig.book())[taken.order_id]]
    if trading.order is not None:
        ones.append(await rig.run(trading.order(taken.order_id, *rig.session_and_ctx)))
        assert await rig.run(trading.order("1", *rig.session_and_ctx)) is None
    if trading.find is not None:
        ones += await rig.run(trading.find(row.tag, *rig.session_and_ctx))
        assert await rig.run(trading.find(row.tag + "X", *rig.session_and_ctx)) == []
    assert {(one.order_id, one.quantity, one.price, one.status) for one in ones} == {
        (taken.order_id, 20, 1001.5, "open")
    }
    await rig.run(trading.cancel(known, *rig.session_and_ctx))
    assert (await rig.book())[taken.order_id].status == "cancelled"
    with pytest.raises(BrokerError):
        await rig.run(trading.cancel(known, *rig.session_and_ctx))


async def test_every_kind_of_order(rig: Rig) -> None:
    stop = {"trigger_price": Decimal("1050.0")}
    kinds = {
        "market": rig.order(price_type=PriceType.MARKET),
        "ioc": rig.order(validity=Validity.IOC),
        "stop": rig.order(price_type=PriceType.SL_M, **stop),
        "limited stop": rig.order(price_type=PriceType.SL, price=Decimal("1051.0"), **stop),
        "dear": rig.order(quantity=1_000_000),
    }
    ids = {kind: (await rig.place(order)).order_id for kind, order in kinds.items()}
    book = await rig.book()
    assert {kind: book[order_id].status for kind, order_id in ids.items()} == {
        "market": "complete",
        "ioc": "cancelled",
        "stop": "trigger pending",
        "limited stop": "trigger pending",
        "dear": "rejected",
    }
    assert re.search("fund|margin|add rs", book[ids["dear"]].rejection_reason, re.IGNORECASE)
    trades = await rig.run(rig.trading.trades(*rig.session_and_ctx))
    assert {trade.order_id for trade in trades} == {ids["market"]}
    assert sum(trade.quantity for trade in trades) == 10


async def test_books_margins_and_conversion(rig: Rig) -> None:
    trading, sbin = rig.trading, rig.instruments["SBIN"]
    if trading.margin is None:
        pytest.skip(f"{rig.spec.title} has no margin calculator")
    leg = MarginLeg(
        action=Action.BUY, quantity=10, product=Product.MIS, price_type=PriceType.LIMIT, price=Decimal(1000)
    )
    assert (await rig.run(trading.margin([(sbin, leg)], *rig.session_and_ctx))).total == 2000.0
    assert (await rig.run(trading.margin([(sbin, leg)] * 2, *rig.session_and_ctx))).total == 4000.0
    before = await rig.run(trading.funds(*rig.session_and_ctx))
    await rig.place(rig.order(price_type=PriceType.MARKET))
    (position,) = await rig.run(trading.positions(*rig.session_and_ctx))
    assert position.brsymbol in ("", sbin.brsymbol)
    assert (position.product, position.quantity) == (Product.MIS, 10)
    after = await rig.run(trading.funds(*rig.session_and_ctx))
    assert after.utilised > before.utilised
    assert await rig.run(trading.holdings(*rig.session_and_ctx))
    if trading.convert is None:
        return
    await rig.run(trading.convert(sbin, Product.MIS, Product.CNC, 10, *rig.session_and_ctx))
    positions = await rig.run(trading.positions(*rig.session_and_ctx))
    assert {row.product: row.quantity for row in positions} == {Product.MIS: 0, Product.CNC: 10}


async def test_triggers(rig: Rig) -> None:
    desk, sbin = rig.trading.gtt, rig.instruments["SBIN"]
    if desk is None:
        pytest.skip(f"{rig.spec.title} has no triggers")

    def leg(price: str) -> GttLeg:
        return GttLeg(trigger=Decimal(price), action=Action.SELL, quantity=5, price=Decimal(price))

    single = await rig.run(desk.place(sbin, [leg("950.0")], 1027.0, *rig.session_and_ctx))
    legs = [leg("950.0"), leg("1100.0")] if desk.oco else [leg("1100.0")]
    two = await rig.run(desk.place(sbin, legs, 1027.0, *rig.session_and_ctx))
    await rig.run(desk.modify(single, sbin, [leg("940.0")], 1027.0, *rig.session_and_ctx))
    rows = {row.trigger_id: row for row in await rig.run(desk.list(*rig.session_and_ctx))}
    assert [each.trigger for each in rows[single].legs] == [Decimal(940)]
    assert len(rows[two].legs) == len(legs)
    await rig.run(desk.cancel(single, *rig.session_and_ctx))
    left = await rig.run(desk.list(*rig.session_and_ctx))
    assert [row.trigger_id for row in left if row.status == "active"] == [two]


@pytest.mark.parametrize("kind", Mishap)
async def test_a_mishap_is_never_called_what_it_is_not(rig: Rig, kind: Mishap) -> None:
    """Taken or not, what the broker did not say in so many words is unknown; only 429 is a refusal."""
    if kind in UNANSWERED:
        await rig.driver.close()
        rig.driver = HttpDriver(SystemClock(), HttpTiming(write=1.0))
    order = rig.order()
    rig.simulator.faults.mishap(kind, seconds=5.0)
    expected = RateLimited if kind is Mishap.LOST_TOO_MANY else Unknown
    with pytest.raises(expected):
        await rig.place(order)
    assert rig.taken(order) == kind.is_taken


async def test_a_wrong_order_is_refused_by_evidence(rig: Rig) -> None:
    order, share = rig.order(), rig.instruments["SBIN"]
    rig.instruments["SBIN"] = msgspec.structs.replace(share, brsymbol="NOSUCH", token="999999999")
    with pytest.raises(Refused):
        await rig.place(order)
    assert rig.taken(order) == 0


async def test_a_product_that_a_share_does_not_have_is_refused_by_evidence(rig: Rig) -> None:
    order, share = rig.order(product=Product.NRML), rig.instruments["SBIN"]
    asked, plain = (
        next(rig.trading.place(each, share, *rig.session_and_ctx))
        for each in (order, msgspec.structs.replace(order, product=Product.CNC))
    )
    if asked == plain:
        pytest.skip(f"{rig.spec.title} has one word for what is carried over")
    if rig.spec.name in CARRIES_SHARES:
        await rig.place(order)
        assert rig.taken(order) == 1
        return
    with pytest.raises(Refused):
        await rig.place(order)
    assert rig.taken(order) == 0
