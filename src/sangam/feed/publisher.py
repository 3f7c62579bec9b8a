"""Payloads: one JSON per wanted mode and dialect, encoded once per update (specs: contract-ws.md 3.8 and 9).

Numbers keep their type: prices are JSON floats, quantities and epoch milliseconds integers. Both names of a quantity
that official clients read under different names are sent."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sangam.model.clock import ist_from_ms
from sangam.model.enums import Mode
from sangam.model.instrument import Level
from sangam.model.market import Depth, Key, Patch
from sangam.prices.last import Last

from .port import Dialect
from .wants import Line, Want

NowMs = Callable[[], int]
Publish = Callable[[int, bytes], None]

_encode = msgspec.json.Encoder().encode

_NO_BOOK = Depth([], [])
_ALIASES = (("last_trade_quantity", "last_quantity"), ("avg_trade_price", "average_price"))


def patcher(lines: Mapping[Key, Line], now_ms: NowMs, publish: Publish) -> Callable[[Patch], None]:
    """The hot path of one stream: a patch is merged, encoded once per wanted mode, and handed over."""

    def patched(patch: Patch) -> None:
        line = lines.get(patch.key)
        if line is None:
            return  # unsubscribed a moment ago
        priced = "ltp" in patch.fields
        last = line.last
        last.merge(patch, now_ms())
        bodies = Bodies(last, line.scale)
        for want in line.listened:
            level = want.level
            mode = level.mode
            if (priced or mode is not Mode.LTP) and last.tells(mode):
                want.seq += 1
                if want.key.dialect is Dialect.FLAT:
                    publish(want.id, flat(want.key.symbol, want.key.exchange, level, last))
                else:
                    publish(want.id, b"".join((want.head, b"%d" % want.seq, bodies.of(level))))

    return patched


def payload(want: Want, line: Line) -> bytes:
    """What a want's newest update looks like, without counting it as another one."""
    if want.key.dialect is Dialect.FLAT:
        return flat(want.key.symbol, want.key.exchange, want.level, line.last)
    return b"".join((want.head, b"%d" % want.seq, Bodies(line.last, line.scale).of(want.level)))


class Bodies:
    """The variable part of one instrument's payloads after one update; each mode is encoded when first asked for."""

    __slots__ = ("_last", "_quote", "_scale")

    def __init__(self, last: Last, scale: int) -> None:
        self._last = last
        self._scale = scale
        self._quote: bytes | None = None

    def of(self, level: Level) -> bytes:
        """Starts with a comma and ends with the object's closing brace."""
        mode = level.mode
        if mode is Mode.LTP:
            return ltp_body(self._last)
        quote = self._quote
        if quote is None:
            quote = self._quote = quote_body(self._last, self._scale)
        if mode is Mode.QUOTE:
            return quote
        return b"".join((quote[:-1], b',"depth":', _encode(book(self._last, level.depth)), b"}"))


def book(last: Last, levels: int) -> Depth:
    """The book as deep as it was asked for; the stream may tell more for somebody else's sake."""
    depth = last.depth or _NO_BOOK
    if len(depth.buy) <= levels and len(depth.sell) <= levels:
        return depth
    return Depth(depth.buy[:levels], depth.sell[:levels])


def ltp_body(last: Last) -> bytes:
    fields = last.fields
    slim = {"ltp": fields["ltp"], "timestamp": fields["timestamp"]}
    if "ltt" in fields:
        slim["ltt"] = fields["ltt"]
    return b"," + _encode(slim)[1:]


def quote_body(last: Last, scale: int) -> bytes:
    """Everything known but the book. `scale` is 10 to the number of the instrument's decimals."""
    fields: dict[str, Any] = last.fields  # type: ignore[assignment]
    for name, alias in _ALIASES:
        if name in fields:
            fields[alias] = fields[name]
    close = fields.get("close")
    if close:
        change = fields["ltp"] - close
        half = 0.5 if change >= 0 else -0.5
        fields["change"] = int(change * scale + half) / scale
        fields["change_percent"] = int(change * 10000 / close + half) / 100
    return b"," + _encode(fields)[1:]


def flat(symbol: str, exchange: str, level: Level, last: Last) -> bytes:
    """A whole message of the flat dialect: ISO times with +05:30."""
    fields: Mapping[str, Any] = last.fields
    message: dict[str, Any] = {"symbol": symbol, "exchange": exchange, "ltp": fields["ltp"]}
    if level.mode is Mode.QUOTE:
        for name in ("open", "high", "low", "close", "volume"):
            if name in fields:
                message[name] = fields[name]
    elif level.mode is Mode.DEPTH:
        message["depth"] = book(last, level.depth)
    message["timestamp"] = ist_from_ms(fields["timestamp"]).isoformat()
    return _encode(message)
