"""A broker's books in the words of the client."""

from collections.abc import Iterable

from sangam.model.books import Gtt, Holding, Position, Trade

from .answers import GttInfo, HoldingInfo, PositionInfo, TradeInfo
from .listing import Listing


def positions(rows: Iterable[Position], listing: Listing) -> list[PositionInfo]:
    return [
        PositionInfo(
            symbol=instrument.symbol,
            exchange=instrument.exchange,
            product=row.product,
            quantity=row.quantity,
            average_price=row.average_price,
            ltp=row.ltp,
            pnl=row.pnl,
        )
        for row in rows
        if (instrument := listing.native(row.brsymbol, row.brexchange)) is not None
    ]


def holdings(rows: Iterable[Holding], listing: Listing) -> list[HoldingInfo]:
    return [
        HoldingInfo(
            symbol=instrument.symbol,
            exchange=instrument.exchange,
            quantity=row.quantity,
            average_price=row.average_price,
            ltp=row.ltp,
            pnl=row.pnl,
        )
        for row in rows
        if (instrument := listing.native(row.brsymbol, row.brexchange)) is not None
    ]


def trades(rows: Iterable[Trade], listing: Listing) -> list[TradeInfo]:
    return [
        TradeInfo(
            trade_id=row.trade_id,
            order_id=row.order_id,
            symbol=instrument.symbol,
            exchange=instrument.exchange,
            side=row.action.value,
            product=row.product,
            quantity=row.quantity,
            price=row.price,
            timestamp=row.timestamp,
        )
        for row in rows
        if (instrument := listing.native(row.brsymbol, row.brexchange)) is not None
    ]


def gtts(rows: Iterable[Gtt], listing: Listing) -> list[GttInfo]:
    return [
        GttInfo(
            trigger_id=row.trigger_id,
            symbol=instrument.symbol,
            exchange=instrument.exchange,
            status=row.status,
            triggers=tuple(float(leg.trigger) for leg in row.legs),
            quantity=row.legs[0].quantity,
            side=row.legs[0].action.value,
        )
        for row in rows
        if row.legs and (instrument := listing.native(row.brsymbol, row.brexchange)) is not None
    ]
