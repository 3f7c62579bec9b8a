"""Payloads: one JSON per wanted mode and dialect, encoded once per update (specs: contract-ws.md 3.8 and 9).

Numbers keep their type: prices are JSON floats, quantities and epoch milliseconds integers. Where official clients read
one quantity under two names, both are sent."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sangam.model.clock import LATEST_MS, ist_from_ms
from sangam.model.enums import Mode
from sangam.model.market import Depth, Key, Patch
from sangam.prices.last import Last

from .port import Dialect
from .wants import Line, Want

NowMs = Callable[[], int]
Publish = Callable[[int, bytes], None]

_encode = msgspec.json.Encoder().encode
_NO_BOOK = Depth([], [])
_LTP, _QUOTE, _DEPTH = Mode  # a member of an enumeration is slow to look up by its name
_FLAT = Dialect.FLAT


class Tally:
    """Counts the updates that an account's brokers told."""

    __slots__ = ("updates",)

    def __init__(self) -> None:
        self.updates = 0


def patcher(lines: Mapping[Key, Line], now_ms: NowMs, publish: Publish, tally: Tally) -> Callable[[Patch], None]:
    """The hot path of one stream: a patch is merged, encoded once per wanted mode, and handed over."""
    find = lines.get

    def patched(patch: Patch) -> None:
        line = find(patch.key)
        if line is None:
            return  # unsubscribed a moment ago
        tally.updates += 1
        last = line.last
        priced = "ltp" in patch.fields
        line.merge(patch, now_ms())
        quote = b""
        for want in line.listened:
            mode = want.level.mode
            if (priced or mode is not _LTP) and last.tells(mode):
                want.seq += 1
                if want.key.dialect is _FLAT:
                    publish(want.id, flat(want, last))
                    continue
                if not quote and mode is not _LTP:
                    quote = quote_body(last, line.scale)
                publish(want.id, canonical(want, last, quote))

    return patched


def payload(want: Want, line: Line) -> bytes:
    """What a want's newest update looks like, without counting it as another one."""
    if want.key.dialect is _FLAT:
        return flat(want, line.last)
    quote = b"" if want.level.mode is _LTP else quote_body(line.last, line.scale)
    return canonical(want, line.last, quote)


def canonical(want: Want, last: Last, quote: bytes) -> bytes:
    """The value of ``data``. `quote` is the `quote_body`, which the modes above LTP share."""
    mode, depth = want.level
    if mode is _QUOTE:
        return b"%b%d%b}" % (want.head, want.seq, quote)
    if mode is _DEPTH:
        return b'%b%d%b,"depth":%b}' % (want.head, want.seq, quote, _encode(book(last, depth)))
    fields = last.fields
    slim = {"ltp": fields["ltp"], "timestamp": fields["timestamp"]}
    if "ltt" in fields:
        slim["ltt"] = fields["ltt"]
    return b"%b%d,%b" % (want.head, want.seq, _encode(slim)[1:])


def quote_body(last: Last, scale: int) -> bytes:
    """Everything known but the book, from a comma to before the closing brace. `scale` is 10 to the number of the
    instrument's decimals."""
    fields: dict[str, Any] = last.fields  # type: ignore[assignment]
    if "last_trade_quantity" in fields:
        fields["last_quantity"] = fields["last_trade_quantity"]
    if "avg_trade_price" in fields:
        fields["average_price"] = fields["avg_trade_price"]
    close = fields["close"]
    if close:
        change = fields["ltp"] - close
        half = 0.5 if change >= 0 else -0.5
        try:
            fields["change"] = int(change * scale + half) / scale
            fields["change_percent"] = int(change * 10000 / close + half) / 100
        except (OverflowError, ValueError):  # these are no prices, and may not cost those that came with them
            fields.pop("change", None)
            fields.pop("change_percent", None)
    return b"," + _encode(fields)[1:-1]


def book(last: Last, levels: int) -> Depth:
    """The book as deep as it was asked for; the stream may tell more for somebody else's sake."""
    depth = last.depth or _NO_BOOK
    if len(depth.buy) <= levels and len(depth.sell) <= levels:
        return depth
    return Depth(depth.buy[:levels], depth.sell[:levels])


def flat(want: Want, last: Last) -> bytes:
    """A whole message of the flat dialect: ISO times with +05:30."""
    fields: Mapping[str, Any] = last.fields
    mode, depth = want.level
    message: dict[str, Any] = {"symbol": want.key.symbol, "exchange": want.key.exchange, "ltp": fields["ltp"]}
    if mode is _QUOTE:
        for name in ("open", "high", "low", "close", "volume"):
            if name in fields:
                message[name] = fields[name]
    elif mode is _DEPTH:
        message["depth"] = book(last, depth)
    if want.simulated:
        message["simulated"] = True
    at = fields["timestamp"]
    message["timestamp"] = ist_from_ms(at if 0 <= at < LATEST_MS else last.received_at or 0).isoformat()
    return _encode(message)
