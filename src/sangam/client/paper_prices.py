"""What a test tells of a price, as the paper book and the strategy see it."""

from decimal import Decimal

from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument, parse_symbol
from sangam.model.market import Depth, DepthLevel
from sangam.paper.quote import Quote, Row

from .answers import Tick
from .asked import Name, Price, rupees


def price(
    name: Name,
    ltp: Price,
    bid: Price | None,
    ask: Price | None,
    depth: Depth | None,
    volume: int | None,
    now_ms: int,
    number: int,
) -> tuple[Quote, Tick]:
    """`number` is one of its own for each trade."""
    last, best_bid, best_ask = rupees("ltp", ltp) or Decimal(0), rupees("bid", bid), rupees("ask", ask)
    if depth is not None:
        best_bid, best_ask = best_bid or _best(depth.buy), best_ask or _best(depth.sell)
    quote = Quote(
        ltp=last,
        bid=best_bid or Decimal(0),
        ask=best_ask or Decimal(0),
        bids=None if depth is None else _rows(depth.buy),
        asks=None if depth is None else _rows(depth.sell),
        stamp=(number,),
    )
    told = Tick(
        symbol=name[0],
        exchange=name[1].value,
        ltp=float(last),
        timestamp=now_ms,
        ltt=now_ms,
        volume=volume,
        bid_price=None if best_bid is None else float(best_bid),
        ask_price=None if best_ask is None else float(best_ask),
        depth=depth,
    )
    return quote, told


def guessed(symbol: str, exchange: Exchange) -> Instrument:
    """What a symbol says of itself."""
    parsed = parse_symbol(symbol)
    return Instrument(
        symbol=symbol,
        exchange=exchange,
        brsymbol=symbol,
        brexchange=exchange,
        token="",
        name=parsed.base if parsed else symbol,
        instrument_type=parsed.kind if parsed else InstrumentType.INDEX if exchange.is_index else InstrumentType.EQ,
        expiry=parsed.expiry if parsed else None,
        strike=parsed.strike if parsed else 0.0,
    )


def _rows(levels: list[DepthLevel]) -> tuple[Row, ...]:
    return tuple(Row(Decimal(repr(level.price)), level.quantity) for level in levels)


def _best(levels: list[DepthLevel]) -> Decimal | None:
    return Decimal(repr(levels[0].price)) if levels else None
