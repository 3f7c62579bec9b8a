"""A broker's books in the words of the client."""

from collections.abc import Iterable, Iterator
from typing import TypedDict, TypeVar

from sangam.brokers.rows import shaped
from sangam.model.books import Gtt, Holding, Position, Trade
from sangam.model.enums import Exchange

from .answers import GttInfo, HoldingInfo, PositionInfo, TradeInfo
from .listing import Listing

Row = TypeVar("Row", Position, Holding, Trade, Gtt)


class _Name(TypedDict):
    symbol: str
    exchange: Exchange


def positions(rows: Iterable[Position], listing: Listing) -> list[PositionInfo]:
    return [shaped(PositionInfo, row, **name) for row, name in _named(rows, listing)]


def holdings(rows: Iterable[Holding], listing: Listing) -> list[HoldingInfo]:
    return [shaped(HoldingInfo, row, **name) for row, name in _named(rows, listing)]


def trades(rows: Iterable[Trade], listing: Listing) -> list[TradeInfo]:
    return [shaped(TradeInfo, row, side=row.action.value, **name) for row, name in _named(rows, listing)]


def gtts(rows: Iterable[Gtt], listing: Listing) -> list[GttInfo]:
    return [
        GttInfo(
            trigger_id=row.trigger_id,
            status=row.status,
            triggers=tuple(float(leg.trigger) for leg in row.legs),
            quantity=row.legs[0].quantity,
            side=row.legs[0].action.value,
            **name,
        )
        for row, name in _named(rows, listing)
        if row.legs
    ]


def _named(rows: Iterable[Row], listing: Listing) -> Iterator[tuple[Row, _Name]]:
    """The rows on exchanges of ours, with their instruments' names here."""
    for row in rows:
        instrument = listing.native(row)
        if instrument is not None:
            yield row, {"symbol": instrument.symbol, "exchange": instrument.exchange}
