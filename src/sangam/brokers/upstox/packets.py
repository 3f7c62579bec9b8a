"""The market feed's messages (descriptor of the official SDK 2.30.0; Upstox docs: Market data feed V3).

proto3 sends no zeros, and a live message may lack whole parts, so zero and "not told" look alike. What counts:

- A price, a time or a last quantity of 0 is none, and never told.
- A part that is not there tells nothing. A `marketLevel` that is there tells the whole book: its sides may be empty.
- A total of 0 is told where the book beside it has that side empty, and in a snapshot (``initial_feed``), which tells
  everything; so are the volume and the open interest there."""

from typing import Any

from sangam.brokers.protobuf import DecodeError as Damaged
from sangam.brokers.protobuf import messages
from sangam.model.errors import DecodeError
from sangam.model.market import Depth, DepthLevel, Fields, Patch

_MESSAGES = messages(
    "upstox",
    {
        "FeedResponse": {
            "type": (1, "Type"),
            "feeds": (2, "Feed", "map"),
            "currentTs": (3, "int64"),
        },
        "Feed": {
            "ltpc": (1, "LTPC", "FeedUnion"),
            "fullFeed": (2, "FullFeed", "FeedUnion"),
        },
        "LTPC": {
            "ltp": (1, "double"),
            "ltt": (2, "int64"),
            "ltq": (3, "int64"),
            "cp": (4, "double"),
        },
        "FullFeed": {
            "marketFF": (1, "MarketFullFeed", "FullFeedUnion"),
            "indexFF": (2, "IndexFullFeed", "FullFeedUnion"),
        },
        "MarketFullFeed": {
            "ltpc": (1, "LTPC"),
            "marketLevel": (2, "MarketLevel"),
            "marketOHLC": (4, "MarketOHLC"),
            "atp": (5, "double"),
            "vtt": (6, "int64"),
            "oi": (7, "double"),
            "tbq": (9, "double"),
            "tsq": (10, "double"),
        },
        "IndexFullFeed": {
            "ltpc": (1, "LTPC"),
            "marketOHLC": (2, "MarketOHLC"),
        },
        "MarketLevel": {"bidAskQuote": (1, "Quote", "repeated")},
        "Quote": {
            "bidQ": (1, "int64"),
            "bidP": (2, "double"),
            "askQ": (3, "int64"),
            "askP": (4, "double"),
        },
        "MarketOHLC": {"ohlc": (1, "OHLC", "repeated")},
        "OHLC": {
            "interval": (1, "string"),
            "open": (2, "double"),
            "high": (3, "double"),
            "low": (4, "double"),
        },
    },
    {"Type": {"initial_feed": 0, "live_feed": 1, "market_info": 2}},
)
OF_LTPC = frozenset({"ltp", "ltt", "last_trade_quantity", "close", "timestamp"})
"""All that the mode ltpc tells."""

_read = _MESSAGES["FeedResponse"].FromString
_SNAPSHOT = 0
_DAY = "1d"
_MOST = float(2**53)


def patches(frame: bytes) -> list[Patch]:
    """What a frame tells of each of its instruments. Raises DecodeError."""
    try:
        response = _read(frame)
    except Damaged as error:
        raise DecodeError(f"a frame of {len(frame)} bytes is no message of the feed: {error}") from error
    now, whole = response.currentTs, response.type == _SNAPSHOT
    found = []
    for key, feed in response.feeds.items():
        kind = feed.WhichOneof("FeedUnion")
        if kind is None:
            continue
        patch = Patch(key, {}, None, whole)
        if kind == "ltpc":
            _ltpc(patch.fields, feed.ltpc)
        else:
            _full(patch, feed.fullFeed)
        if now > 0:
            patch.fields["timestamp"] = now
        found.append(patch)
    return found


def _full(patch: Patch, full: Any) -> None:
    kind = full.WhichOneof("FullFeedUnion")
    if kind == "marketFF":
        _market(patch, full.marketFF)
    elif kind == "indexFF":
        index = full.indexFF
        _ltpc(patch.fields, index.ltpc)
        _day(patch.fields, index.marketOHLC)
        patch.depth = Depth([], [])  # an index has no book, and this mode says so


def _market(patch: Patch, market: Any) -> None:
    fields, whole = patch.fields, patch.full
    _ltpc(fields, market.ltpc)
    _day(fields, market.marketOHLC)
    if 0.0 < (price := market.atp) < _MOST:
        fields["avg_trade_price"] = price
    if (count := market.vtt) > 0 or (whole and not count):
        fields["volume"] = count
    if 0.0 < (amount := market.oi) < _MOST or (whole and not amount):
        fields["oi"] = int(amount)
    bare_buy, bare_sell = whole, whole
    if market.HasField("marketLevel"):
        buy, sell = [], []
        for row in market.marketLevel.bidAskQuote:
            price, count = row.bidP, row.bidQ
            if count > 0 and 0.0 < price < _MOST:
                buy.append(DepthLevel(price, count))
            price, count = row.askP, row.askQ
            if count > 0 and 0.0 < price < _MOST:
                sell.append(DepthLevel(price, count))
        patch.depth = Depth(buy, sell)
        bare_buy, bare_sell = whole or not buy, whole or not sell
    if 0.0 < (amount := market.tbq) < _MOST or (bare_buy and not amount):
        fields["total_buy_quantity"] = int(amount)
    if 0.0 < (amount := market.tsq) < _MOST or (bare_sell and not amount):
        fields["total_sell_quantity"] = int(amount)


def _ltpc(fields: Fields, ltpc: Any) -> None:
    if 0.0 < (price := ltpc.ltp) < _MOST:
        fields["ltp"] = price
    if (moment := ltpc.ltt) > 0:
        fields["ltt"] = moment
    if (count := ltpc.ltq) > 0:
        fields["last_trade_quantity"] = count
    if 0.0 < (price := ltpc.cp) < _MOST:
        fields["close"] = price


def _day(fields: Fields, bars: Any) -> None:
    """The day's own bar; those of minutes stand beside it."""
    for bar in bars.ohlc:
        if bar.interval == _DAY:
            if 0.0 < (price := bar.open) < _MOST:
                fields["open"] = price
            if 0.0 < (price := bar.high) < _MOST:
                fields["high"] = price
            if 0.0 < (price := bar.low) < _MOST:
                fields["low"] = price
            return
