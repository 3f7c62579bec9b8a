"""BOOKS: what the account holds, read only. Nothing of it is told: no figure and no name stands in a result."""

from collections.abc import Sequence
from typing import Any

from sangam.model.books import MarginLeg
from sangam.model.enums import Action, PriceType, Product
from sangam.model.enums import Exchange as Code
from sangam.model.errors import SymbolNotFound
from sangam.model.instrument import Instrument

from . import needs
from .checks import PROVED, Skip, check, expect
from .prices import had
from .subject import Subject


def some(rows: Sequence[Any], what: str) -> None:
    if not rows:
        raise Skip(f"there are no {what}")


def none(rows: Sequence[Any], what: str) -> None:
    if rows:
        raise Skip(f"there are {what}")


def named(rows: Sequence[tuple[Instrument, Any]]) -> None:
    """One that today's list has not is named by the broker's own words, and has no token."""
    strangers = sum(not instrument.token for instrument, _ in rows)
    expect(not strangers, f"{strangers} of {len(rows)} rows name instruments that today's list has not")


@check("BOOKS-01", needs.ORDERS, after=(PROVED,))
async def _(subject: Subject) -> None:
    """An empty order book is empty, not an error."""
    none(await subject.rooms.live.orders(subject.account.id), "orders today")


@check("BOOKS-02", needs.ORDERS)
async def _(subject: Subject) -> None:
    """The order book has every order of the day, each state told in our words."""
    rows = await subject.rooms.live.orders(subject.account.id)
    some(rows, "orders today")
    expect(len({row.order_id for row in rows}) == len(rows), "an order stands there twice")
    expect(all(0 <= row.filled_quantity <= row.quantity for row in rows), "more was filled than ordered")
    master = await subject.master()
    strangers = 0
    for order in await subject.rooms.desk.orders(subject.trial.caller):
        try:
            master.lookup(order.symbol, order.exchange.value)
        except SymbolNotFound:
            strangers += 1
    expect(not strangers, f"{strangers} orders name instruments that today's list has not")


@check("BOOKS-05", needs.ORDERS, after=(PROVED,))
async def _(subject: Subject) -> None:
    """An empty trade book is empty."""
    none(await subject.rooms.live.trades(subject.account.id), "trades today")


@check("BOOKS-06", needs.ORDERS)
async def _(subject: Subject) -> None:
    """Each fill is a trade of its order, with quantity, price and time."""
    rows = await subject.rooms.desk.trades(subject.trial.caller)
    some(rows, "trades today")
    named(rows)
    expect(len({row.trade_id for _, row in rows}) == len(rows), "a trade stands there twice")
    expect(all(row.order_id and row.quantity > 0 and row.price > 0 for _, row in rows), "a trade lacks its terms")
    expect(all(abs(subject.now - row.timestamp) < 86_400_000 for _, row in rows), "a trade is not of today")
    if needs.QUOTES.offered(subject.spec):
        ranges = {one: patch.fields for one, patch in (await subject.quotes({one for one, _ in rows})).items()}
        strange = [one for one, row in rows if one in ranges and not had(ranges[one], row.price)]
        expect(not strange, f"{len(strange)} trades have prices that their instruments did not have today: no rupees?")


@check("BOOKS-07", needs.ORDERS, after=(PROVED,))
async def _(subject: Subject) -> None:
    """Without trades there are no positions."""
    none([row for row in await subject.rooms.live.positions(subject.account.id) if row.quantity], "positions")


@check("BOOKS-08", needs.orders_on(Code.NSE))
async def _(subject: Subject) -> None:
    """Positions name their instruments, once for each product."""
    rows = await subject.rooms.desk.positions(subject.trial.caller)
    some(rows, "positions")
    named(rows)
    expect(len({(one.symbol, one.exchange, row.product) for one, row in rows}) == len(rows), "a position comes twice")


@check("BOOKS-12", needs.ORDERS, after=(PROVED,))
async def _(subject: Subject) -> None:
    """An empty demat account has no holdings."""
    none(await subject.rooms.live.holdings(subject.account.id), "holdings")


@check("BOOKS-13", needs.ORDERS)
async def _(subject: Subject) -> None:
    """Holdings have quantity, average price and result in rupees and percent."""
    rows = await subject.rooms.desk.holdings(subject.trial.caller)
    some(rows, "holdings")
    named(rows)
    expect(all(row.quantity >= 0 and row.average_price >= 0 for _, row in rows), "a holding is negative")


@check("BOOKS-14", needs.ORDERS, after=(PROVED,))
async def _(subject: Subject) -> None:
    """Funds: cash, and what is in use."""
    funds = await subject.rooms.live.funds(subject.account.id)
    expect(funds.utilised >= 0, "what is in use is negative")


@check("BOOKS-16", needs.MARGIN)
async def _(subject: Subject) -> None:
    """The margin of one order grows with its quantity."""
    share = await subject.share()
    one, ten = [
        await subject.rooms.live.margin(
            subject.account.id,
            [(share, MarginLeg(action=Action.BUY, quantity=many, product=Product.MIS, price_type=PriceType.MARKET))],
        )
        for many in (1, 10)
    ]
    expect(0 < one.total < ten.total, "ten shares need no more than one")


@check("BOOKS-18", needs.GTT, after=(PROVED,))
async def _(subject: Subject) -> None:
    """Without GTTs their list is empty."""
    none(await subject.rooms.live.gtts(subject.account.id), "GTTs")
