"""The socket: packets of every kind, damaged ones, subscriptions, and news of orders."""

import json
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.canned import Canned, drive

from sangam.brokers import mastertrust
from sangam.brokers.contract import (
    BooksChanged,
    Codec,
    Confirmed,
    Ctx,
    Endpoint,
    LoggedIn,
    Notice,
    Result,
    Send,
    Session,
)
from sangam.brokers.families.tradelab.stream import MOST_NOTICES
from sangam.brokers.families.tradelab.tables import SUBSCRIBE_BATCH
from sangam.brokers.pocketful import SPEC
from sangam.brokers.wire import NatsMessage
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError, SessionExpired
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Fields, Patch
from sangam.model.order import OrderUpdate

CTX = Ctx(0, bytes)
SESSION = Session(
    account="a1", broker="pocketful", generation=1, secrets={"client_id": "YG1234", "access_token": "t/1"}
)
(FEED,) = SPEC.streams

# pocketful.md, 7: NSE 2885
DETAILED = bytes.fromhex(
    "010100000b45000467266553f1000000000a0001e240000466f40000006400046758000000c80000000000001388000000000000177000046519"
    "6553f10100046118000468e800045f240004625d0004e20000035b6000041eb00004baf00000000000000000"
)
COMPACT = bytes.fromhex("020100000b4500046726000004c96553f10000041eb00004baf00000000000000000000466f400046758")
SNAP = bytes.fromhex(
    "040100000b450000000300000004000000050000000600000007000466f4000466c2000466900004665e0004662c0000006400000065000000"
    "6600000067000000680000000200000003000000040000000500000006000467580004678a000467bc000467ee00046820000000c8000000c9"
    "000000ca000000cb000000cc0004651900046118000468e800045f240004625d000000000000138800000000000017700001e240"
)
RELIANCE = (1, 2885)
LTP, QUOTE, DEPTH = Level(Mode.LTP), Level(Mode.QUOTE), Level(Mode.DEPTH)
DAY: Fields = {"open": 2870.0, "high": 2890.0, "low": 2865.0, "close": 2873.25}
LIMITS: Fields = {"lower_circuit": 2700.0, "upper_circuit": 3100.0}
BOOK = Depth(
    [DepthLevel(2885.0 - 0.5 * n, 100 + n, 3 + n) for n in range(5)],
    [DepthLevel(2886.0 + 0.5 * n, 200 + n, 2 + n) for n in range(5)],
)


def codec(wanted: dict[Any, Level] | None = None, spec: Any = SPEC) -> Codec:
    one: Codec = spec.streams[0].codec(SESSION, Endpoint(url="wss://x"), CTX)
    list(one.update(wanted or {}))
    return one


def sent(results: Any) -> list[Any]:
    return [json.loads(str(each.command)) for each in results if isinstance(each, Send)]


# --- packets ----------------------------------------------------------------------------------------------------------


def test_a_detailed_packet() -> None:
    (patch,) = codec({RELIANCE: QUOTE}).received(DETAILED)
    assert patch == Patch(
        RELIANCE,
        {
            "ltp": 2885.5,
            **DAY,
            "volume": 123_456,
            "last_trade_quantity": 10,
            "avg_trade_price": 2880.25,
            "total_buy_quantity": 5000,
            "total_sell_quantity": 6000,
            "bid_price": 2885.0,
            "bid_size": 100,
            "ask_price": 2886.0,
            "ask_size": 200,
            "timestamp": 1_700_000_001_000,
            "ltt": 1_700_000_000_000,
            **LIMITS,
        },
        None,
        True,
    )


@pytest.mark.parametrize("tail", [b"", b"\1\2\3\4"])
def test_a_compact_packet_of_either_length(tail: bytes) -> None:
    (patch,) = codec({RELIANCE: LTP}).received(COMPACT + tail)
    assert patch == Patch(RELIANCE, {"ltp": 2885.5, "ltt": 1_700_000_000_000, **LIMITS}, None, True)


def test_the_book_comes_without_a_last_price_and_the_prices_beside_it_leave_it_alone() -> None:
    one = codec({RELIANCE: DEPTH})
    (book,) = one.received(SNAP)
    assert book == Patch(RELIANCE, {"total_buy_quantity": 5000, "total_sell_quantity": 6000}, BOOK)
    (prices,) = one.received(DETAILED)
    assert isinstance(prices, Patch)
    assert prices.fields["ltp"] == 2885.5
    assert not prices.full


def test_an_emptied_book_is_told_as_empty() -> None:
    (patch,) = codec({RELIANCE: DEPTH}).received(SNAP[:6] + bytes(160))
    assert isinstance(patch, Patch)
    assert patch.depth == Depth([], [])


def test_what_a_packet_does_not_tell_is_absent() -> None:
    (patch,) = codec({RELIANCE: QUOTE}).received(DETAILED[:10] + bytes(92))
    assert isinstance(patch, Patch)
    absent = {"bid_price", "bid_size", "ask_price", "ask_size", "timestamp", "ltt", "oi", "upper_circuit"}
    assert not absent & patch.fields.keys()


def test_open_interest_is_that_of_derivatives() -> None:
    packet = struct.pack(">bbI", 1, 2, 45_835) + DETAILED[6:94] + struct.pack(">2I", 1_500, 1_400)
    (patch,) = codec({(2, 45_835): QUOTE}).received(packet)
    assert isinstance(patch, Patch)
    assert patch.fields["oi"] == 1_500


def test_commodities_are_in_paise_where_that_is_known() -> None:
    packet = struct.pack(">bbI", 2, 4, 428_177) + COMPACT[6:]
    (patch,) = codec({(4, 428_177): LTP}, mastertrust.SPEC).received(packet)
    assert isinstance(patch, Patch)
    assert patch.fields["ltp"] == 2885.5
    assert Exchange.MCX not in FEED.carries.exchanges


@pytest.mark.parametrize("wanted", [{}, {RELIANCE: LTP}, {(1, 2886): DEPTH}])
def test_late_packets_of_what_was_left_set_nothing(wanted: dict[Any, Level]) -> None:
    one = codec(wanted)
    assert list(one.received(DETAILED)) == list(one.received(SNAP)) == []


@given(st.sampled_from([DETAILED, COMPACT, SNAP]), st.data())
def test_a_damaged_packet_costs_itself(packet: bytes, data: st.DataObject) -> None:
    one = codec({RELIANCE: DEPTH, (1, 1): LTP})
    damaged = bytearray(packet)
    for place in data.draw(st.lists(st.integers(0, len(packet) - 1), max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(packet)))]) + data.draw(st.binary(max_size=5))
    with suppress(DecodeError):
        for result in one.received(cut):
            assert isinstance(result, Patch | Notice | BooksChanged)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_result_or_a_decode_error(message: bytes) -> None:
    one = codec({RELIANCE: DEPTH})
    for each in (message, b"\x32" + message, b"\x33" + message):
        with suppress(DecodeError):
            list(one.received(each))


def test_a_message_of_another_framing_is_none_of_this_wire() -> None:
    with pytest.raises(DecodeError, match="NatsMessage"):
        codec().received(NatsMessage("a", b""))


# --- what is said -----------------------------------------------------------------------------------------------------


def test_the_first_word_asks_for_news_of_orders() -> None:
    news, ready = codec().opened()
    assert isinstance(news, Send)
    assert json.loads(str(news.command)) == {"a": "subscribe", "v": ["YG1234", "web"], "m": "updates"}
    assert ready == LoggedIn()


def test_each_mode_has_its_topics_and_a_book_has_two() -> None:
    one = codec()
    results = list(one.update({(1, 1): LTP, (2, 2): QUOTE, (6, 3): DEPTH}))
    assert sent(results) == [
        {"a": "subscribe", "v": [[2, 2], [6, 3]], "m": "marketdata"},
        {"a": "subscribe", "v": [[1, 1]], "m": "compact_marketdata"},
        {"a": "subscribe", "v": [[6, 3]], "m": "full_snapquote"},
    ]
    assert results[-1] == Confirmed(((1, 1), (2, 2), (6, 3)))
    assert sent(one.update({(1, 1): DEPTH, (2, 2): DEPTH})) == [
        {"a": "unsubscribe", "v": [[6, 3]], "m": "marketdata"},
        {"a": "subscribe", "v": [[1, 1]], "m": "marketdata"},
        {"a": "unsubscribe", "v": [[1, 1]], "m": "compact_marketdata"},
        {"a": "unsubscribe", "v": [[6, 3]], "m": "full_snapquote"},
        {"a": "subscribe", "v": [[1, 1], [2, 2]], "m": "full_snapquote"},
    ]
    assert list(one.update({(1, 1): DEPTH, (2, 2): DEPTH})) == []


def test_many_go_in_batches() -> None:
    wanted: dict[Any, Level] = {(1, n): LTP for n in range(SUBSCRIBE_BATCH + 1)}
    assert [len(each["v"]) for each in sent(codec().update(wanted))] == [SUBSCRIBE_BATCH, 1]


def test_the_heartbeat() -> None:
    assert sent(codec().heartbeat()) == [{"a": "h", "v": [], "m": ""}]
    assert FEED.heartbeat == 8.0


def test_a_text_is_logged_once_however_often_it_comes() -> None:
    one = codec()
    assert [*one.received("pong"), *one.received("bad"), *one.received("pong")] == [
        Notice("warning", "pong"),
        Notice("warning", "bad"),
    ]
    assert sum(len(list(one.received(f"{number}"))) for number in range(100)) == MOST_NOTICES - 2
    assert list(one.received(frame(50, {}))) == [BooksChanged()]


# --- news of orders ---------------------------------------------------------------------------------------------------

ROW = {
    "oms_order_id": "2024030943", "exchange": "NFO", "instrument_token": 100803, "order_side": "BUY", "quantity": 1500,
    "filled_quantity": 0, "order_status": "AMO_MODIFY_CONFIRMED", "product": "NRML", "order_type": "LIMIT",
    "price": 30.7, "user_order_id": "12780", "order_entry_time": 1709995984, "exchange_time": 1709996020,
}  # fmt: skip


def frame(kind: int, told: Any) -> bytes:
    return bytes([kind, 9, 9, 9, 9]) + json.dumps(told).encode()


def only(results: Any) -> Result:
    (one,) = results
    result: Result = one
    return result


def test_news_of_the_order_books_form_are_the_order() -> None:
    told = only(codec().received(frame(50, ROW)))
    assert isinstance(told, OrderUpdate)
    assert (told.order_id, told.status, told.tag, told.token) == ("2024030943", "open", "12780", "100803")
    assert told.timestamp == 1_709_996_020_000


@pytest.mark.parametrize("told", [{}, {"orderid": "1"}, {**ROW, "quantity": "many"}, {**ROW, "order_side": "LEND"}])
def test_news_of_another_form_only_say_that_something_happened(told: Any) -> None:
    notice, changed = codec().received(frame(50, told))
    assert isinstance(notice, Notice)
    assert changed == BooksChanged()


def test_a_trade_makes_us_read_the_books() -> None:
    assert only(codec().received(frame(51, {"trade_number": "1"}))) == BooksChanged()


@pytest.mark.parametrize(
    "body", [b"\x32", b"\x32\0\0\0\0", b"\x32\0\0\0\0{", b'\x32\0\0"}', b"\x33\0\0\0\0[]", b"\x33\0\0\0\0\xff"]
)
def test_news_that_cannot_be_read_are_news_of_something(body: bytes) -> None:
    """Where they begin is not documented: a guess that is wrong must not lose them."""
    one = codec()
    notice, changed = one.received(body)
    assert isinstance(notice, Notice)
    assert changed == BooksChanged()
    assert list(one.received(body)) == [BooksChanged()]


# --- opening ----------------------------------------------------------------------------------------------------------

PERSON = {"status": "success", "data": {"client_id": "YG1234"}}


def test_the_address_says_who_listens() -> None:
    endpoint = drive(SPEC, FEED.open(SESSION, CTX), PERSON).result
    assert endpoint.url == "wss://trade.pocketful.in/ws/v1/feeds?login_id=YG1234&access_token=t%2F1"
    assert "t%2F1" not in repr(endpoint)


def test_a_dead_session_opens_no_socket_and_other_troubles_do_not_matter() -> None:
    with pytest.raises(SessionExpired):
        drive(SPEC, FEED.open(SESSION, CTX), Canned("", 401))
    assert drive(SPEC, FEED.open(SESSION, CTX), Canned("", 503)).result.url.startswith("wss://")


def test_keys_are_the_exchange_and_the_token() -> None:
    index = Instrument(
        symbol="NIFTY", exchange=Exchange.NSE_INDEX, brsymbol="Nifty 50", brexchange="NSE", token="26000"
    )
    assert FEED.key(index) == (1, 26_000)
