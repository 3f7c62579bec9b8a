"""Instruments, quotes and a price source for tests of the paper room."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from sangam.model.clock import IST
from sangam.model.enums import Action, Exchange, InstrumentType, PriceType, Product
from sangam.model.errors import NotSent
from sangam.model.instrument import Instrument
from sangam.model.market import Depth, DepthLevel, Patch
from sangam.paper.book import ENDED, PaperBook, Spot, spot
from sangam.paper.config import Config
from sangam.paper.quote import Quote, Row
from sangam.paper.settle import fresh
from sangam.paper.state import PaperOrder
from sangam.prices.last import Last

ACCOUNT = "asha-zerodha"
D = Decimal


def instrument(
    symbol: str,
    exchange: Exchange = Exchange.NSE,
    kind: InstrumentType = InstrumentType.EQ,
    lot: int = 1,
    expiry: date | None = None,
) -> Instrument:
    return Instrument(
        symbol=symbol,
        exchange=exchange,
        brsymbol=f"{symbol}-BR",
        brexchange=f"{exchange}-BR",
        token=symbol,
        instrument_type=kind,
        lot_size=lot,
        expiry=expiry,
    )


SBIN = instrument("SBIN")
INFY = instrument("INFY")
FUTURE = instrument("NIFTY26NOV26FUT", Exchange.NFO, InstrumentType.FUT, 75, date(2026, 11, 26))
CALL = instrument("NIFTY26NOV2626000CE", Exchange.NFO, InstrumentType.CE, 75, date(2026, 11, 26))
CRUDE = instrument("CRUDEOIL18DEC26FUT", Exchange.MCX, InstrumentType.FUT, 1, date(2026, 12, 18))
ALUMINIUM = instrument("ALUMINIUM30DEC26FUT", Exchange.NCO, InstrumentType.FUT, 5, date(2026, 12, 30))

_numbers = count(1)


def at(hour: int, minute: int = 0, day: int = 24, month: int = 11) -> datetime:
    """A moment of November 2026 in IST; the 24th is a Tuesday."""
    return datetime(2026, month, day, hour, minute, tzinfo=IST)


def ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


NOW = ms(at(10))


def order(
    of: Instrument = SBIN,
    action: Action = Action.BUY,
    quantity: int = 10,
    price_type: PriceType = PriceType.MARKET,
    product: Product = Product.MIS,
    **more: Any,
) -> PaperOrder:
    return PaperOrder(
        id=more.pop("id", None) or f"P-{next(_numbers):010d}",
        account=ACCOUNT,
        instrument=of,
        action=action,
        quantity=quantity,
        price_type=price_type,
        product=product,
        **more,
    )


def quote(ltp: str | Decimal, bid: str | int = 0, ask: str | int = 0, **more: Any) -> Quote:
    """Each one is told apart from the one before: something traded in between."""
    more.setdefault("stamp", (next(_numbers),))
    return Quote(ltp=D(ltp), bid=D(bid), ask=D(ask), **more)


def rows(*levels: tuple[str, int]) -> tuple[Row, ...]:
    return tuple(Row(D(price), quantity) for price, quantity in levels)


def book(config: Config | None = None, now_ms: int = NOW) -> PaperBook:
    config = config or Config()
    balance = fresh(now_ms)
    balance.cash = config.starting_capital
    return PaperBook("asha", config, balance)


class FakeSource:
    """Streams what a test lets it: `tell` sets a streamed price, `asked` what a request would bring."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.streamed: dict[Spot, Last] = {}
        self.asked: dict[Spot, Last] = {}
        self.watched: list[Spot] = []
        self.fetches = 0
        self.down = False
        self._now_ms = now_ms

    def last(self, ltp: float, depth: Depth | None = None, **fields: Any) -> Last:
        last = Last()
        last.merge(Patch("k", {"ltp": ltp, "timestamp": self._now_ms(), **fields}, depth), self._now_ms())  # type: ignore[typeddict-item]
        return last

    def tell(
        self, of: Instrument, ltp: float, bid: float = 0.0, ask: float = 0.0, bid_quantity: int = 1000, **fields: Any
    ) -> Last:
        depth = Depth([DepthLevel(bid, bid_quantity)], [DepthLevel(ask, 1000)]) if bid else None
        last = self.last(ltp, depth, volume=next(_numbers), **fields)
        self.streamed[of.symbol, of.exchange] = last
        return last

    def watch(self, account: str, of: Instrument) -> Callable[[], None]:
        key = of.symbol, of.exchange
        self.watched.append(key)
        return lambda: self.watched.remove(key)

    def quote(self, account: str, of: Instrument) -> Last | None:
        return self.streamed.get((of.symbol, of.exchange))

    async def fetch(self, account: str, instruments: Sequence[Instrument]) -> Mapping[Spot, Last]:
        self.fetches += 1
        if self.down:
            raise NotSent("no route to the broker")
        wanted = [(one.symbol, one.exchange) for one in instruments]
        return {key: self.asked[key] for key in wanted if key in self.asked}


def assert_consistent(paper: PaperBook) -> None:
    """What must hold of every book: sums agree, and nothing is held for what is over."""
    ledger = paper.ledger
    blocked = sum((one.blocked for one in paper.orders.values()), D(0))
    assert ledger.used == blocked + sum((one.margin for one in ledger.positions.values()), D(0))
    for position in ledger.positions.values():
        fills = [
            one for one in paper.trades if (one.instrument, one.product) == (position.instrument, position.product)
        ]
        signed = [one.quantity if one.action is Action.BUY else -one.quantity for one in fills]
        assert position.quantity == sum(signed)
        assert position.quantity or position.margin == position.cost == 0
        assert position.quantity >= 0 or position.product is not Product.CNC
    for one in paper.orders.values():
        assert one.filled == sum(trade.quantity for trade in paper.trades if trade.order_id == one.id) <= one.quantity
        assert one.opening >= 0
        assert one.blocked >= 0
        waits = one.status not in ENDED
        assert waits or one.blocked == 0
        assert (one.id in paper.open.get(spot(one.instrument), {})) is waits
