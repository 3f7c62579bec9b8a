"""XTS: subscriptions go by REST and their reply is the snapshot; ticks come as Socket.IO 2 events, some binary."""

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec
from tests.contract.driver import make_spec

from sangam.brokers.contract import (
    EMPTY,
    BaseCodec,
    Call,
    Carries,
    Confirmed,
    Ctx,
    Endpoint,
    LimitChanged,
    LoggedIn,
    Operation,
    Replaced,
    Reply,
    Request,
    Result,
    Session,
    Stream,
    StreamLimits,
    WireRequest,
    done,
)  # fmt: skip
from sangam.brokers.wire import Message, SocketIOEvent
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError, Refused, SessionExpired, Unknown
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch

MD = "/apibinarymarketdata"
HOSTS = {"api": "https://developers.symphonyfintech.in", "stream": "wss://developers.symphonyfintech.in"}
SEGMENTS = {Exchange.NSE: 1, Exchange.NSE_INDEX: 1, Exchange.NFO: 2, Exchange.BSE: 11, Exchange.BFO: 12}
CODES = {Mode.LTP: 1512, Mode.QUOTE: 1501, Mode.DEPTH: 1502}
EPOCH = 315_532_800 - 19_800  # NSE counts seconds from 1980-01-01 on an IST clock
NAMES = {
    "ltp": "LastTradedPrice", "last_trade_quantity": "LastTradedQunatity", "volume": "TotalTradedQuantity",
    "avg_trade_price": "AverageTradedPrice", "total_buy_quantity": "TotalBuyQuantity", "open": "Open", "high": "High",
    "total_sell_quantity": "TotalSellQuantity", "low": "Low", "close": "Close",
}  # fmt: skip
TOUCHLINE = ("bid_size", "bid_price", "ask_size", "ask_price", "timestamp", "ltp", "last_trade_quantity",
             "total_buy_quantity", "total_sell_quantity", "volume", "avg_trade_price", "ltt", "",
             "open", "high", "low", "close")  # fmt: skip


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    return {"Authorization": session.secrets["md_token"]}


def check(request: Request, reply: Reply) -> Any:
    envelope = reply.payload if isinstance(reply.payload, dict) else {}
    code, reason = envelope.get("code", ""), envelope.get("description", f"HTTP {reply.status}")
    if envelope.get("type") == "success":
        return envelope["result"]
    if code == "e-session-0002":  # already subscribed: subscriptions outlive the socket
        return EMPTY
    if reason == "Invalid Token":
        raise SessionExpired(reason, code)
    raise Refused(reason, broker_code=code) if code else Unknown(reason)


def open_stream(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    login = f"token={session.secrets['md_token']}&userID={session.client_id}&publishFormat=JSON&broadcastMode=Full"
    url = f"{session.host('stream', HOSTS)}{MD}/socket.io/?{login}&transport=websocket&EIO=3"
    return done(Endpoint(url=url, framing="socketio", framing_options={"eio": 3}))


def subscription(method: Any, keys: Iterable[Any], code: int) -> Operation[Any]:
    instruments = [{"exchangeSegment": segment, "exchangeInstrumentID": token} for segment, token in keys]
    body = {"instruments": instruments, "xtsMessageCode": code}
    return (yield Request(method=method, host="api", path=f"{MD}/instruments/subscription", json=body))


class Codec(BaseCodec):
    def opened(self) -> Iterable[Result]:
        return ()

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        before, (added, changed, removed) = self.sent, self.changes(wanted)
        for method, keys, levels in (("PUT", removed + changed, before), ("POST", added + changed, wanted)):
            for mode, code in CODES.items():
                if group := tuple(key for key in keys if levels[key].mode is mode):
                    yield Call(subscription(method, group, code), group if method == "POST" else (), method)

    def replied(self, call: Call, payload: Any) -> Iterator[Result]:
        yield Confirmed(call.keys)
        if call.purpose == "POST" and payload is not EMPTY:
            yield from (quote(row) for row in payload["listQuotes"])
            yield LimitChanged(len(self.sent) + payload["Remaining_Subscription_Count"])

    def received(self, message: Message) -> Iterator[Result]:
        assert isinstance(message, SocketIOEvent)
        if message.name == "joined":
            yield LoggedIn()
        elif message.name == "logout":
            yield Replaced("another login took this session")
        elif message.name == "xts-binary-packet" and message.args and isinstance(message.args[0], bytes):
            yield from packets(message.args[0])
        elif message.name in ("1501-json-full", "1502-json-full", "1512-json-full"):
            yield quote(*message.args[:1])


def quote(text: Any = None) -> Patch:
    try:
        row = msgspec.json.decode(text)
        touch = row.get("Touchline", row)
        fields: dict[str, Any] = {ours: touch[name] for ours, name in NAMES.items() if name in touch}
        for ours, name in (("ltt", "LastTradedTime"), ("timestamp", "LastUpdateTime")):
            if name in touch:
                fields[ours] = (touch[name] + EPOCH) * 1000
        sides = [[DepthLevel(x["Price"], x["Size"], x["TotalOrders"]) for x in row.get(side, ())] for side in BOOK]
        key = row["ExchangeSegment"], row["ExchangeInstrumentID"]
        return Patch(key, cast(Fields, fields), Depth(*sides) if "Bids" in row else None)
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DecodeError(f"XTS quote: {error!r}") from None


BOOK = ("Bids", "Asks")


def packets(data: bytes) -> Iterator[Patch]:
    """Packets back to back: an outer header, then a body that may be deflated."""
    at = 0
    try:
        while at < len(data):
            compressed, code, segment, token, _, _, size = struct.unpack_from("<bHhihhH", data, at)
            at += 15
            if compressed:
                (packed,) = struct.unpack_from("<H", data, at)
                body = zlib.decompressobj(-15).decompress(data[at + 2 : at + 2 + packed], size or 1)
                at += 2 + packed
            else:
                body = data[at : at + size]
                at += size
            if code == 1501:
                values = struct.unpack_from("<id6xid6xQdiIIIdqd4d", body, 40)
                fields = {name: value for name, value in zip(TOUCHLINE, values, strict=True) if name}
                fields |= {name: (fields[name] + EPOCH) * 1000 for name in ("ltt", "timestamp")}
                yield Patch((segment, token), cast(Fields, fields))
            elif code == 1510:
                yield Patch((segment, token), {"oi": struct.unpack_from("<i", body, 42)[0]})
    except (struct.error, zlib.error) as error:
        raise DecodeError(f"XTS packet: {error}") from None


def key(instrument: Instrument) -> Key | None:
    segment = SEGMENTS.get(instrument.exchange)
    return (segment, int(instrument.token)) if segment else None


CARRIES = Carries({Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)}, frozenset(SEGMENTS))
LIMITS = StreamLimits(symbols_per_socket=500, sockets=1)
STREAM = Stream(name="data", carries=CARRIES, open=open_stream, codec=lambda *_: Codec(), key=key, limits=LIMITS)
SPEC = make_spec("xts", HOSTS, authorize, check, STREAM)
