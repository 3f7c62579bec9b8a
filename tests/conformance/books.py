"""BOOKS: orders, trades, positions, holdings, funds and margins; each also empty."""

import pytest
from tests.conformance.matrix import World, case
from tests.conformance.rig import Rig
from tests.conformance.streaming import ACCOUNT

from sangam.model.books import MarginLeg
from sangam.model.enums import Action, PriceType, Product
from sangam.model.enums import Exchange as Code
from sangam.model.errors import SessionExpired, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import Order
from sangam.verify import needs


async def bought(rig: Rig, instrument: Instrument, action: Action = Action.BUY, **terms: object) -> Order:
    """An order at the market, filled."""
    order = await rig.place(rig.order(instrument, action, price_type=PriceType.MARKET, **terms), instrument)
    assert rig.stored(order).filled_quantity == order.quantity
    return order


@case("BOOKS-01", needs.ORDERS)
async def _(rig: Rig) -> None:
    """An empty order book is empty, not an error."""
    assert await rig.live.orders(ACCOUNT) == []


@case("BOOKS-02", needs.ORDERS)
async def _(rig: Rig) -> None:
    """The order book has every order of the day, each state told in our words."""
    share = await rig.share()
    filled = await bought(rig, share)
    waits = await rig.place(rig.order(share), share)
    stop = await rig.place(rig.order(share, price_type=PriceType.SL), share)
    gone = await rig.place(rig.order(share), share)
    await rig.live.cancel(ACCOUNT, gone, rig.sending)
    wrong = rig.elsewhere(share, price=0.01)
    states = {row.order_id: row.status for row in await rig.live.orders(ACCOUNT)}
    assert states == {
        filled.order_id: "complete",
        waits.order_id: "open",
        stop.order_id: "trigger pending",
        gone.order_id: "cancelled",
        wrong.order_id: "rejected",
    }


@case("BOOKS-03", needs.ORDERS)
async def _(rig: Rig) -> None:
    """Orders that the owner placed elsewhere are in the book too, without our tag."""
    share = await rig.share()
    order = rig.elsewhere(share)
    (row,) = await rig.live.orders(ACCOUNT)
    assert await rig.tells_of(row, share)
    assert (row.order_id, row.quantity, row.status, row.tag) == (order.order_id, 10, "open", "")


@case("BOOKS-04", needs.ORDERS)
async def _(rig: Rig) -> None:
    """The book of another client is none of ours."""
    share = await rig.share()
    price = float(rig.near(share, -5))
    rig.exchange.place("somebody", share.symbol, share.exchange, Action.BUY, 10, PriceType.LIMIT, price=price)
    assert await rig.live.orders(ACCOUNT) == []


@case("BOOKS-05", needs.ORDERS)
async def _(rig: Rig) -> None:
    """An empty trade book is empty, and an order that only waits has no trades."""
    assert await rig.live.trades(ACCOUNT) == []
    share = await rig.share()
    await rig.place(rig.order(share), share)
    assert await rig.live.trades(ACCOUNT) == []


@case("BOOKS-06", needs.ORDERS)
async def _(rig: Rig) -> None:
    """Each fill is a trade of its order, with quantity, price and time."""
    share = await rig.share()
    order = await bought(rig, share, quantity=rig.market(share).book.depth(False, 1)[0].quantity + 7)
    made = rig.exchange.ledger.trades_of(rig.stored(order).order_id)
    found = await rig.live.trades(ACCOUNT)
    assert len({row.trade_id for row in found}) == len(found) == len(made) == 2
    assert [(row.quantity, row.price) for row in found] == [(trade.quantity, trade.price) for trade in made]
    for row in found:
        assert row.order_id == order.order_id
        assert await rig.tells_of(row, share)
        assert (row.action, row.product) == (Action.BUY, Product.MIS)
        assert abs(row.timestamp - rig.clock.now_ms()) < 10_000


@case("BOOKS-07", needs.ORDERS)
async def _(rig: Rig) -> None:
    """Without trades there are no positions."""
    assert [row for row in await rig.live.positions(ACCOUNT) if row.quantity] == []


@case("BOOKS-08", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """A position is the sum of its trades: bought, more bought, partly sold."""
    share = await rig.share()
    await bought(rig, share, quantity=30)
    await bought(rig, share, Action.SELL, quantity=12)
    (row,) = await rig.live.positions(ACCOUNT)
    assert await rig.tells_of(row, share)
    assert row.product is Product.MIS
    assert row.quantity == 18
    assert row.ltp == rig.ltp(share)
    paid = sum(
        (1 if trade.action is Action.SELL else -1) * trade.quantity * trade.price
        for trade in await rig.live.trades(ACCOUNT)
    )
    assert row.pnl == pytest.approx(paid + 18 * row.ltp, abs=0.01)


@case("BOOKS-09", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """A short position is negative; a closed one has quantity 0 and keeps its result."""
    share = await rig.share()
    await bought(rig, share, Action.SELL)
    (row,) = await rig.live.positions(ACCOUNT)
    assert row.quantity == -10
    await bought(rig, share)
    (row,) = await rig.live.positions(ACCOUNT)
    sold, back = (trade.price for trade in await rig.live.trades(ACCOUNT))
    assert row.quantity == 0
    assert row.pnl == pytest.approx(10 * (sold - back), abs=0.01)


@case("BOOKS-10", needs.product(Product.CNC, Code.NSE))
async def _(rig: Rig) -> None:
    """Each product of an instrument is a position of its own."""
    share = await rig.share()
    await bought(rig, share)
    await bought(rig, share, product=Product.CNC, quantity=3)
    found = {row.product: row.quantity for row in await rig.live.positions(ACCOUNT)}
    assert found == {Product.MIS: 10, Product.CNC: 3}


@case("BOOKS-11", needs.product(Product.NRML, Code.MCX))
async def _(rig: Rig) -> None:
    """The result of a commodity position holds the worth of its lots."""
    contract = await rig.one_of(Code.MCX)
    await bought(rig, contract, product=Product.NRML)
    rig.move(contract, 2)
    (row,) = await rig.live.positions(ACCOUNT)
    (trade,) = await rig.live.trades(ACCOUNT)
    assert row.multiplier > 1
    gained = (rig.ltp(contract) - trade.price) * row.quantity * row.multiplier
    assert row.pnl == pytest.approx(gained, abs=0.01)


@case("BOOKS-12", needs.ORDERS, world=World(holdings=False))
async def _(rig: Rig) -> None:
    """An empty demat account has no holdings."""
    assert await rig.live.holdings(ACCOUNT) == []


@case("BOOKS-13", needs.ORDERS)
async def _(rig: Rig) -> None:
    """Holdings have quantity, average price and result in rupees and percent."""
    share = await rig.share()
    (row,) = [row for row in await rig.live.holdings(ACCOUNT) if await rig.tells_of(row, share)]
    assert (row.quantity, row.average_price) == (100, 801.5)
    gained = (rig.ltp(share) - 801.5) * 100
    assert row.pnl == pytest.approx(gained, abs=0.01)
    assert row.pnl_percent == pytest.approx(gained / 80_150 * 100, abs=0.01)


@case("BOOKS-14", needs.ORDERS)
async def _(rig: Rig) -> None:
    """Funds at the beginning of the day: all cash, nothing in use."""
    funds = await rig.live.funds(ACCOUNT)
    assert (funds.available_cash, funds.utilised, funds.m2m_realised) == (10_000_000.0, 0.0, 0.0)


@case("BOOKS-15", needs.orders_on(Code.NSE))
async def _(rig: Rig) -> None:
    """What orders and positions use is told as used."""
    share = await rig.share()
    await bought(rig, share)
    one = await rig.live.funds(ACCOUNT)
    assert one.utilised > 0
    await rig.place(rig.order(share), share)
    assert (await rig.live.funds(ACCOUNT)).utilised > one.utilised


def leg(quantity: int, action: Action = Action.BUY, product: Product = Product.MIS) -> MarginLeg:
    return MarginLeg(action=action, quantity=quantity, product=product, price_type=PriceType.MARKET)


@case("BOOKS-16", needs.MARGIN)
async def _(rig: Rig) -> None:
    """The margin of one order grows with its quantity."""
    share = await rig.share()
    one, two = [await rig.live.margin(ACCOUNT, [(share, leg(quantity))]) for quantity in (10, 20)]
    assert 0 < one.total < two.total


@case("BOOKS-17", needs.MARGIN)
async def _(rig: Rig) -> None:
    """The margin of several orders is asked as a basket."""
    share, future = await rig.share(), await rig.future()
    lot = leg(future.lot_size, Action.SELL, Product.NRML)
    both = await rig.live.margin(ACCOUNT, [(share, leg(10)), (future, lot)])
    alone = await rig.live.margin(ACCOUNT, [(share, leg(10))])
    assert both.total > alone.total


@case("BOOKS-18", needs.GTT)
async def _(rig: Rig) -> None:
    """Without GTTs their list is empty."""
    assert await rig.live.gtts(ACCOUNT) == []


@case("BOOKS-19", needs.ORDERS)
async def _(rig: Rig) -> None:
    """A broker in trouble (HTTP 503) has no books; nothing is taken for empty."""
    for read in (rig.live.orders, rig.live.trades, rig.live.positions, rig.live.holdings, rig.live.funds):
        rig.simulator.faults.refuse_requests(503)
        with pytest.raises(Unknown):
            await read(ACCOUNT)


@case("BOOKS-20", needs.ORDERS)
async def _(rig: Rig) -> None:
    """A dead session has no books, and is told so."""
    rig.simulator.expire_token()
    with pytest.raises(SessionExpired):
        await rig.live.positions(ACCOUNT)
