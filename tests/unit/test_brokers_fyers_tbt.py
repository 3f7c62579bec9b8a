"""The tick-by-tick socket: the sheet's sample, differences, damaged messages."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.canned import conduct

from sangam.brokers.contract import Confirmed, Ctx, LoggedIn, Notice, Send, Session
from sangam.brokers.fyers import SPEC
from sangam.brokers.fyers.tbt import TBT, TbtCodec
from sangam.model.enums import Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Level
from sangam.model.market import Depth, DepthLevel, Patch
from sangam.simulators import proto

TICKER = "NSE:NIFTY25MARFUT"
DEEP = Level(Mode.DEPTH, 50)
# fyers.md, 7b: made by the SDK's msg_pb2
BOOK = bytes.fromhex(
    "080612780a114e53453a4e4946545932354d415246555412632a310a0308e80712030884071a120a0508f4aa890112030896011a02080322"
    "0022110a050895aa89011202084b1a0208022200320608ded985be06420f313031313235303332373335303839480750015a114e53453a4e"
    "4946545932354d41524655541801"
)
SESSION = Session(account="a1", broker="fyers", generation=1, secrets={"api_key": "X-100", "access_token": "tok"})


def difference(*levels: bytes, ticker: str = TICKER) -> bytes:
    depth = b"".join(proto.chunk(4, level) for level in levels)
    feed = proto.chunk(5, depth) + proto.chunk(11, ticker.encode())
    return proto.chunk(2, proto.chunk(1, ticker.encode()) + proto.chunk(2, feed))


def wanting() -> TbtCodec:
    codec = TbtCodec()
    assert list(codec.opened()) == [LoggedIn()]
    list(codec.update({TICKER: DEEP}))
    return codec


def test_a_channel_is_subscribed_and_resumed_once() -> None:
    codec = TbtCodec()
    assert list(codec.update({TICKER: DEEP})) == [
        Send('{"type":1,"data":{"subs":1,"symbols":["NSE:NIFTY25MARFUT"],"mode":"depth","channel":"1"}}', (TICKER,)),
        Send('{"type":2,"data":{"resumeChannels":["1"],"pauseChannels":[]}}'),
        Confirmed((TICKER,)),
    ]
    assert list(codec.update({"NSE:SBIN-EQ": DEEP})) == [
        Send('{"type":1,"data":{"subs":-1,"symbols":["NSE:NIFTY25MARFUT"],"mode":"depth","channel":"1"}}'),
        Send('{"type":1,"data":{"subs":1,"symbols":["NSE:SBIN-EQ"],"mode":"depth","channel":"1"}}', ("NSE:SBIN-EQ",)),
        Confirmed(("NSE:SBIN-EQ",)),
    ]
    assert list(codec.heartbeat()) == [Send("ping")]
    assert list(codec.received("pong")) == []


def test_a_snapshot_and_what_changed() -> None:
    codec = wanting()
    (whole,) = codec.received(BOOK)
    assert whole == Patch(
        TICKER,
        {"total_buy_quantity": 1000, "total_sell_quantity": 900},
        Depth([DepthLevel(22500.05, 75, 2)], [DepthLevel(22501.0, 150, 3)]),
    )
    quantity = proto.wrapped(2, 10) + proto.wrapped(4, 0)
    second = proto.wrapped(1, 2250000) + proto.wrapped(2, 5) + proto.wrapped(3, 1) + proto.wrapped(4, 1)
    nameless, beyond = proto.wrapped(2, 99), proto.wrapped(2, 99) + proto.wrapped(4, 50)
    (changed,) = codec.received(difference(quantity, second, nameless, beyond))
    assert changed == Patch(
        TICKER, {}, Depth([DepthLevel(22500.05, 10, 2), DepthLevel(22500.0, 5, 1)], [DepthLevel(22501.0, 150, 3)])
    )
    (emptied,) = codec.received(difference(proto.wrapped(2, 0) + proto.wrapped(4, 0)))
    assert isinstance(emptied, Patch)
    assert emptied.depth == Depth([DepthLevel(22500.0, 5, 1)], [DepthLevel(22501.0, 150, 3)])


def test_a_row_whose_price_was_never_told_is_none() -> None:
    """Zero would be the best ask there is."""
    codec = wanting()
    list(codec.received(BOOK))
    (patch,) = codec.received(difference(proto.wrapped(2, 5) + proto.wrapped(4, 1)))
    assert isinstance(patch, Patch)
    assert patch.depth == Depth([DepthLevel(22500.05, 75, 2)], [DepthLevel(22501.0, 150, 3)])


def test_differences_to_a_book_that_was_never_told_are_none() -> None:
    level = proto.wrapped(1, 100) + proto.wrapped(2, 10) + proto.wrapped(4, 0)
    codec = wanting()
    assert list(codec.received(difference(level))) == []
    assert list(codec.received(difference(level, ticker="NSE:OTHER-EQ"))) == []
    list(codec.received(BOOK))
    list(codec.update({}))
    list(codec.update({TICKER: DEEP}))
    assert list(codec.received(difference(level))) == []


def test_an_error_is_told() -> None:
    message = proto.number(1, 8) + proto.chunk(4, b"symbol limit reached") + proto.number(5, 1)
    assert list(wanting().received(message)) == [Notice("error", "symbol limit reached")]


@given(st.integers(0, len(BOOK)), st.binary(max_size=8), st.data())
def test_damaged_messages_cost_themselves(length: int, more: bytes, data: st.DataObject) -> None:
    codec = wanting()
    damaged = bytearray(BOOK[:length] + more)
    for place in data.draw(st.lists(st.integers(0, max(len(damaged) - 1, 0)), max_size=4)):
        if damaged:
            damaged[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DecodeError):
        list(codec.received(bytes(damaged)))
    (whole,) = codec.received(BOOK)
    assert isinstance(whole, Patch)
    assert whole.depth == Depth([DepthLevel(22500.05, 75, 2)], [DepthLevel(22501.0, 150, 3)])
    with pytest.raises(DecodeError):
        list(codec.received("text"))


def test_where_the_socket_is_today() -> None:
    ctx = Ctx(0, bytes)
    asked, endpoint = conduct(SPEC, TBT.open(SESSION, ctx), (200, {"s": "ok", "data": {"socket_url": "wss://today"}}))
    assert [(each.host, each.path) for each in asked] == [("api", "/indus/home/tbtws")]
    assert (endpoint.url, endpoint.headers) == ("wss://today", {"authorization": "X-100:tok"})
    for answer in (
        (500, "<html>"),
        (200, {"s": "ok"}),
        (200, {"s": "ok", "data": None}),
        (200, {"s": "ok", "data": {"socket_url": None}}),
        (200, {"s": "ok", "data": {"socket_url": ""}}),
    ):
        assert conduct(SPEC, TBT.open(SESSION, ctx), answer)[1].url == "wss://rtsocket-api.fyers.in/versova"
    elsewhere = Session(account="a1", broker="fyers", generation=1, secrets=SESSION.secrets, hosts={"tbt": "ws://here"})
    assert conduct(SPEC, TBT.open(elsewhere, ctx)) == ([], conduct(SPEC, TBT.open(elsewhere, ctx))[1])
