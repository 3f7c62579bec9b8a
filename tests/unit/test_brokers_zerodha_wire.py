"""Orders and books over HTTP against the broker's own simulator: its ledger is the judge."""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from sangam.brokers.contract import Session
from sangam.brokers.zerodha import SPEC
from sangam.model.books import GttLeg, MarginLeg
from sangam.model.clock import IST, ManualClock, SystemClock
from sangam.model.enums import Action, PriceType, Product
from sangam.model.enums import Exchange as Code
from sangam.model.errors import BrokerError, Refused
from sangam.model.instrument import Instrument
from sangam.model.order import Change, Order, TradingMode
from sangam.simulators import Exchange
from sangam.simulators.zerodha import Zerodha
from sangam.transport.http import HttpDriver

TODAY = date(2026, 8, 18)
assert SPEC.trading is not None
TRADING = SPEC.trading
assert TRADING.order is not None
assert TRADING.margin is not None
assert TRADING.convert is not None
assert TRADING.gtt is not None
ask_order, ask_margin, convert, GTT = TRADING.order, TRADING.margin, TRADING.convert, TRADING.gtt


@pytest.fixture
async def driver() -> AsyncIterator[HttpDriver]:
    driver = HttpDriver(SystemClock())
    yield driver
    await driver.close()


@pytest.fixture
async def kite() -> AsyncIterator[Zerodha]:
    exchange = Exchange(clock=ManualClock(datetime.combine(TODAY, datetime.min.time(), IST) + timedelta(hours=10)))
    async with Zerodha(exchange) as simulator:
        yield simulator


@pytest.fixture
def session(kite: Zerodha) -> Session:
    return Session(account="a1", broker="zerodha", generation=1, secrets=kite.credentials, hosts=kite.hosts)


@pytest.fixture
async def share(driver: HttpDriver, kite: Zerodha, session: Session) -> Instrument:
    files = await driver.run(SPEC, session, SPEC.instruments.download(session, driver.ctx()))
    rows = [row for row in SPEC.instruments.parse(files) if isinstance(row, Instrument)]
    return next(row for row in rows if (row.symbol, row.exchange) == ("INFY", Code.NSE))


def order(kite: Zerodha, share: Instrument, number: int = 0, **terms: object) -> Order:
    """A LIMIT order to buy 10, five percent under the market, where nobody sells."""
    market = kite.exchange.market(share.symbol, share.exchange)
    price = Decimal(str(round(market.rupees(market.ltp) * 0.95)))
    plain = Order(
        id=f"L-ABCDEFGH{number:02d}",
        account="a1",
        user="u1",
        broker="zerodha",
        mode=TradingMode.LIVE,
        symbol=share.symbol,
        exchange=share.exchange,
        action=Action.BUY,
        quantity=10,
        price_type=PriceType.LIMIT,
        product=Product.MIS,
        price=price,
        tag="mine",
    )
    return msgspec.structs.replace(plain, **terms)


async def test_an_order_lives_and_dies(driver: HttpDriver, kite: Zerodha, session: Session, share: Instrument) -> None:
    ctx, asked = driver.ctx(), order(kite, share)
    accepted = await driver.run(SPEC, session, TRADING.place(asked, share, session, ctx))
    stored = kite.exchange.ledger.orders[accepted.order_id]
    assert (stored.tag, stored.quantity, stored.price) == ("ABCDEFGH00mine", 10, float(asked.price))
    placed = msgspec.structs.replace(asked, order_id=accepted.order_id, native=accepted.native)
    row = await driver.run(SPEC, session, ask_order(placed.order_id, session, ctx))
    assert row is not None
    assert (row.status, row.tag, row.price_type, row.native) == (
        "open",
        "ABCDEFGH00mine",
        "LIMIT",
        {"variety": "regular"},
    )
    assert await driver.run(SPEC, session, TRADING.orders(session, ctx)) == [row]
    change = Change(quantity=7, price_type=PriceType.LIMIT, price=asked.price - 1)
    await driver.run(SPEC, session, TRADING.modify(placed, change, share, session, ctx))
    stored = kite.exchange.ledger.orders[accepted.order_id]
    assert (stored.quantity, stored.price) == (7, float(change.price))
    await driver.run(SPEC, session, TRADING.cancel(placed, session, ctx), urgent=True)
    (row,) = await driver.run(SPEC, session, TRADING.orders(session, ctx))
    assert (row.status, row.quantity, row.filled_quantity) == ("cancelled", 7, 0)


async def test_a_market_order_fills_and_its_position_is_converted(
    driver: HttpDriver, kite: Zerodha, session: Session, share: Instrument
) -> None:
    ctx = driver.ctx()
    before = await driver.run(SPEC, session, TRADING.funds(session, ctx))
    asked = order(kite, share, price_type=PriceType.MARKET, price=Decimal(0))
    accepted = await driver.run(SPEC, session, TRADING.place(asked, share, session, ctx))
    row = await driver.run(SPEC, session, ask_order(accepted.order_id, session, ctx))
    assert row is not None
    assert (row.status, row.filled_quantity) == ("complete", 10)
    fills = await driver.run(SPEC, session, TRADING.trades(session, ctx))
    assert sum(fill.quantity for fill in fills) == 10
    assert {(fill.order_id, fill.product) for fill in fills} == {(accepted.order_id, Product.MIS)}
    (held,) = await driver.run(SPEC, session, TRADING.positions(session, ctx))
    assert (held.brsymbol, held.product, held.quantity) == (share.brsymbol, Product.MIS, 10)
    after = await driver.run(SPEC, session, TRADING.funds(session, ctx))
    assert after.utilised > before.utilised
    await driver.run(SPEC, session, convert(share, Product.MIS, Product.CNC, 10, session, ctx))
    found = await driver.run(SPEC, session, TRADING.positions(session, ctx))
    assert {row.product: row.quantity for row in found if row.quantity} == {Product.CNC: 10}
    with pytest.raises(Refused, match="cannot be converted") as caught:
        await driver.run(SPEC, session, convert(share, Product.MIS, Product.CNC, 10, session, ctx))
    assert not caught.value.sent


async def test_refusals_are_told_apart_from_orders_that_are_rejected_later(
    driver: HttpDriver, kite: Zerodha, session: Session, share: Instrument
) -> None:
    ctx = driver.ctx()
    stranger = msgspec.structs.replace(share, brsymbol="NOSUCH")
    with pytest.raises(Refused) as caught:
        await driver.run(SPEC, session, TRADING.place(order(kite, share), stranger, session, ctx))
    assert caught.value.code == "INVALID_INPUT"
    assert not kite.exchange.ledger.orders
    much = order(kite, share, quantity=1_000_000, product=Product.CNC)
    accepted = await driver.run(SPEC, session, TRADING.place(much, share, session, ctx))
    row = await driver.run(SPEC, session, ask_order(accepted.order_id, session, ctx))
    assert row is not None
    assert row.status == "rejected"
    assert "Insufficient funds" in row.rejection_reason
    assert await driver.run(SPEC, session, ask_order("404", session, ctx)) is None
    lost = order(kite, share, order_id="404")
    with pytest.raises(BrokerError) as failed:
        await driver.run(SPEC, session, TRADING.cancel(lost, session, ctx))
    assert type(failed.value) is Refused


async def test_margins_holdings_and_triggers(
    driver: HttpDriver, kite: Zerodha, session: Session, share: Instrument
) -> None:
    ctx = driver.ctx()
    leg = MarginLeg(action=Action.BUY, quantity=10, product=Product.CNC, price_type=PriceType.MARKET)
    one = await driver.run(SPEC, session, ask_margin([(share, leg)], session, ctx))
    two = await driver.run(SPEC, session, ask_margin([(share, leg), (share, leg)], session, ctx))
    assert 0 < one.total < two.total
    assert two.benefit is not None
    held = await driver.run(SPEC, session, TRADING.holdings(session, ctx))
    assert all(row.quantity > 0 and row.product is Product.CNC for row in held)
    last = kite.exchange.market(share.symbol, share.exchange)
    price = last.rupees(last.ltp)
    low, high = Decimal(str(round(price * 0.9))), Decimal(str(round(price * 1.1)))
    stop = GttLeg(trigger=low, action=Action.SELL, quantity=10, price=low - 1)
    target = GttLeg(trigger=high, action=Action.SELL, quantity=10, price=high)
    single = await driver.run(SPEC, session, GTT.place(share, [stop], price, session, ctx))
    both = await driver.run(SPEC, session, GTT.place(share, [stop, target], price, session, ctx))
    moved = msgspec.structs.replace(stop, quantity=5)
    assert await driver.run(SPEC, session, GTT.modify(single, share, [moved], price, session, ctx)) == single
    found = {row.trigger_id: row for row in await driver.run(SPEC, session, GTT.list(session, ctx))}
    assert (found[single].legs, found[both].legs) == ((moved,), (stop, target))
    assert await driver.run(SPEC, session, GTT.cancel(single, session, ctx)) == single
    left = await driver.run(SPEC, session, GTT.list(session, ctx))
    assert {row.trigger_id for row in left if row.status == "active"} == {both}
