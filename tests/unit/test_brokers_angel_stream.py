"""The sockets: packets of every kind, damaged ones, subscriptions, refusals, and news of orders."""

import json
import struct
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.angel import SPEC
from sangam.brokers.angel.packets import DECODERS, key_of
from sangam.brokers.angel.stream import REMEMBERED, FeedCodec, OrdersCodec
from sangam.brokers.angel.tables import SUBSCRIBE_BATCH
from sangam.brokers.contract import (
    AuthExpired,
    Confirmed,
    Ctx,
    LoggedIn,
    Notice,
    Refusal,
    Result,
    Send,
    Session,
    Stream,
)
from sangam.brokers.wire import NatsMessage
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Key, Patch
from sangam.model.order import OrderUpdate

CTX = Ctx(0, bytes)
SESSION = Session(
    account="a1",
    broker="angel",
    generation=1,
    secrets={"api_key": "k", "client_code": "A1", "access_token": "eyJ", "feed_token": "f"},
)
FEED, BOOKS, NEWS = SPEC.streams

# angel.md, 7: NSE 3045 at 568.20
LTP = bytes.fromhex(
    "010133303435000000000000000000000000000000000000000000000000000000000090b161dc88010000f4dd000000000000"
)
SBIN = key_of(1, "3045")


def head(mode: int, segment: int = 1, token: str = "3045") -> bytes:
    return bytes((mode, segment)) + token.encode().ljust(25, b"\0")


def quote(segment: int = 1, token: str = "3045", volume: int = 3_556_150, mode: int = 2) -> bytes:
    packed = head(mode, segment, token) + struct.pack("<3q", 7, 1_687_324_570_000, 56_820)
    packed += struct.pack("<3q2d", 1, 56_783, volume, 839_549.0, 1_284_767.0)
    return packed + struct.pack("<4q", 56_740, 56_935, 56_610, 56_745)


def snap(
    segment: int = 2, rows: Iterable[tuple[int, int, int, int]] | None = None, ltt: int = 1_687_324_569, **more: Any
) -> bytes:
    if rows is None:
        rows = [(1, 10 + n, 56_815 - 5 * n, n) for n in range(5)] + [(0, 20 + n, 56_825 + 5 * n, n) for n in range(5)]
    packed = quote(segment, mode=3, **more) + struct.pack("<2qd", ltt, 81_872_000, 0.104)
    packed += b"".join(struct.pack("<HqqH", *row) for row in rows)
    return packed + struct.pack("<4q", 62_410, 51_070, 62_955, 43_070)


def deep(count: int = 20) -> bytes:
    rows = [(n, 56_815 - n, 1) for n in range(1, count + 1)] + [(0, 0, 0)] * (20 - count)
    rows += [(n, 56_825 + n, 2) for n in range(1, count + 1)] + [(0, 0, 0)] * (20 - count)
    packed = head(4) + struct.pack("<2q", 1_734_667_885_562, 0)
    return packed + b"".join(struct.pack("<iih", *row) for row in rows)


def decoded(packet: bytes) -> Patch:
    size, decode = DECODERS[packet[:1]]
    assert len(packet) == size
    return decode(packet)


# --- packets ----------------------------------------------------------------------------------------------------------


def test_the_sample_of_the_sheet() -> None:
    assert decoded(LTP) == Patch(SBIN, {"ltp": 568.20, "timestamp": 1_687_324_570_000}, None, True)


def test_a_quote() -> None:
    assert decoded(quote()) == Patch(
        SBIN,
        {
            "ltp": 568.20,
            "timestamp": 1_687_324_570_000,
            "open": 567.40,
            "high": 569.35,
            "low": 566.10,
            "close": 567.45,
            "volume": 3_556_150,
            "last_trade_quantity": 1,
            "avg_trade_price": 567.83,
            "total_buy_quantity": 839_549,
            "total_sell_quantity": 1_284_767,
        },
        None,
        True,
    )


def test_a_snap_quote_has_the_book_the_circuits_and_the_interest() -> None:
    patch = decoded(snap())
    assert patch.fields["ltt"] == 1_687_324_569_000
    assert (patch.fields["upper_circuit"], patch.fields["lower_circuit"]) == (624.10, 510.70)
    assert patch.fields["oi"] == 81_872_000
    assert patch.depth == Depth(
        [DepthLevel((56_815 - 5 * n) / 100, 10 + n, n) for n in range(5)],
        [DepthLevel((56_825 + 5 * n) / 100, 20 + n, n) for n in range(5)],
    )


@pytest.mark.parametrize("segment", [1, 3])
def test_the_interest_of_a_share_is_that_of_what_is_traded_on_it(segment: int) -> None:
    assert "oi" not in decoded(snap(segment)).fields


@pytest.mark.parametrize(
    ("segment", "divisor"), [(1, 100), (2, 100), (3, 100), (4, 100), (5, 100), (7, 100), (13, 10_000_000)]
)
def test_every_segment_has_its_divisor(segment: int, divisor: int) -> None:
    """Docs: currencies are divided by 10,000,000, everything else by 100."""
    for packet in (head(1, segment) + LTP[27:], quote(segment), snap(segment)):
        patch = decoded(packet)
        assert patch.key == key_of(segment, "3045")
        assert patch.fields["ltp"] == 56_820 / divisor
    assert patch.depth is not None
    assert patch.depth.buy[0].price == 56_815 / divisor
    assert patch.fields["volume"] == 3_556_150


def test_the_flag_says_which_side_a_row_is_of() -> None:
    mixed = [(0, 1, 56_825, 1), (1, 2, 56_815, 1), (0, 3, 56_830, 1), (1, 4, 56_810, 1)] + [(0, 0, 0, 0)] * 6
    assert decoded(snap(rows=mixed)).depth == Depth(
        [DepthLevel(568.15, 2, 1), DepthLevel(568.10, 4, 1)], [DepthLevel(568.25, 1, 1), DepthLevel(568.30, 3, 1)]
    )


def test_an_empty_book_is_told_as_empty() -> None:
    assert decoded(snap(rows=[(0, 0, 0, 0)] * 10)).depth == Depth([], [])
    assert decoded(deep(0)).depth == Depth([], [])


def test_twenty_levels() -> None:
    patch = decoded(deep())
    assert (patch.key, patch.fields) == (SBIN, {"timestamp": 1_734_667_885_562})
    assert patch.depth is not None
    assert patch.depth.buy == [DepthLevel((56_815 - n) / 100, n, 1) for n in range(1, 21)]
    assert patch.depth.sell == [DepthLevel((56_825 + n) / 100, n, 2) for n in range(1, 21)]


def test_an_index_has_prices_and_nothing_that_is_traded() -> None:
    for packet in (quote(1, "99926000", 0), snap(1, [(0, 0, 0, 0)] * 10, token="99926000", volume=0)):
        patch = decoded(packet)
        assert patch.fields.keys() <= {"ltp", "open", "high", "low", "close", "timestamp", "ltt"}
    share = decoded(quote(volume=0))
    assert share.fields["volume"] == 0  # nothing was traded yet, which is told


def test_times_that_are_none_are_not_told() -> None:
    bare = bytearray(snap(ltt=0))
    bare[35:43] = bytes(8)
    assert not {"timestamp", "ltt"} & decoded(bytes(bare)).fields.keys()


def test_a_token_ends_at_its_first_nul() -> None:
    assert decoded(head(1)[:8] + b"7" * 19 + LTP[27:]).key == SBIN


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_sums_that_are_no_numbers_are_damage(number: float) -> None:
    for at in (75, 83):
        packet = bytearray(quote())
        struct.pack_into("<d", packet, at, number)
        with pytest.raises(DecodeError):
            decoded(bytes(packet))


def codec_of(*keys: Key, mode: Mode = Mode.DEPTH, stream: Stream = FEED) -> FeedCodec:
    """One that carries these."""
    codec = stream.codec(SESSION, next_endpoint(stream), CTX)
    assert isinstance(codec, FeedCodec)
    list(codec.update(dict.fromkeys(keys, Level(mode))))
    return codec


def next_endpoint(stream: Stream) -> Any:
    with pytest.raises(StopIteration) as stop:
        next(stream.open(SESSION, CTX))
    return stop.value.value


@pytest.mark.parametrize("packet", [LTP, quote(), snap(), deep()])
def test_cut_packets_are_damage(packet: bytes) -> None:
    codec = codec_of(SBIN)
    for size in range(len(packet)):
        with pytest.raises(DecodeError):
            list(codec.received(packet[:size]))


@given(st.binary(max_size=500), st.sampled_from([b"", b"\1", b"\2", b"\3", b"\4"]))
def test_bytes_of_any_kind_are_packets_or_damage(content: bytes, mode: bytes) -> None:
    for codec in (codec_of(SBIN), OrdersCodec()):
        try:
            results = list(codec.received(mode + content))
        except DecodeError:
            continue
        assert all(isinstance(result, Patch | OrderUpdate | Notice) for result in results)


@given(
    st.sampled_from([LTP, quote(), snap(), deep()]), st.integers(0, 450), st.integers(0, 255), st.binary(max_size=20)
)
def test_a_flipped_or_longer_packet_is_one_or_damage(packet: bytes, at: int, value: int, more: bytes) -> None:
    damaged = bytearray(packet + more)
    damaged[at % len(damaged)] = value
    try:
        results = list(codec_of(SBIN).received(bytes(damaged)))
    except DecodeError:
        return
    assert all(isinstance(result, Patch) for result in results)


@given(st.text(max_size=200))
def test_texts_of_any_kind_are_news_or_damage(text: str) -> None:
    for codec in (codec_of(SBIN), OrdersCodec()):
        try:
            list(codec.received(text))
        except DecodeError:
            continue


def test_messages_of_other_wires_are_damage() -> None:
    for codec in (codec_of(SBIN), OrdersCodec()):
        with pytest.raises(DecodeError):
            list(codec.received(NatsMessage("a", b"")))


# --- subscriptions ----------------------------------------------------------------------------------------------------


def sent(results: Iterable[Result]) -> list[dict[str, Any]]:
    return [json.loads(str(result.command)) for result in results if isinstance(result, Send)]


def asks(results: Iterable[Result]) -> list[tuple[int, int, dict[int, list[str]]]]:
    """Action, mode and tokens by segment of each message."""
    found = []
    for message in sent(results):
        listed = {row["exchangeType"]: row["tokens"] for row in message["params"]["tokenList"]}
        found.append((message["action"], message["params"]["mode"], listed))
    return found


def test_subscriptions_are_sorted_by_mode_and_segment() -> None:
    codec = codec_of()
    future = key_of(2, "61093")
    wanted: dict[Key, Level] = {SBIN: Level(Mode.LTP), future: Level(Mode.LTP), key_of(3, "1"): Level(Mode.QUOTE)}
    results = list(codec.update(wanted))
    assert asks(results) == [(1, 1, {1: ["3045"], 2: ["61093"]}), (1, 2, {3: ["1"]})]
    assert [result for result in results if isinstance(result, Confirmed)] == [
        Confirmed((SBIN, future)),
        Confirmed((key_of(3, "1"),)),
    ]
    numbers = [message["correlationID"] for message in sent(codec.update({}))]
    assert all(len(number) == 10 and number.isalnum() for number in numbers)


def test_another_mode_leaves_the_former_first() -> None:
    """The same token in two modes would count twice."""
    codec = codec_of(SBIN, mode=Mode.LTP)
    assert asks(codec.update({SBIN: Level(Mode.DEPTH)})) == [(0, 1, {1: ["3045"]}), (1, 3, {1: ["3045"]})]
    assert asks(codec.update({SBIN: Level(Mode.DEPTH)})) == []
    assert asks(codec.update({})) == [(0, 3, {1: ["3045"]})]


def test_what_comes_late_of_a_former_mode_is_dropped() -> None:
    codec = codec_of(SBIN, mode=Mode.DEPTH)
    assert len(list(codec.received(snap(1)))) == 1
    list(codec.update({SBIN: Level(Mode.LTP)}))
    assert list(codec.received(snap(1))) == []
    assert list(codec.received(LTP)) == [decoded(LTP)]
    list(codec.update({}))
    assert list(codec.received(LTP)) == []


def test_many_tokens_go_in_several_messages() -> None:
    keys = [key_of(1, str(number)) for number in range(2 * SUBSCRIBE_BATCH + 1)]
    codec = codec_of()
    counts = [len(listed[1]) for _, _, listed in asks(codec.update(dict.fromkeys(keys, Level(Mode.LTP))))]
    assert counts == [SUBSCRIBE_BATCH, SUBSCRIBE_BATCH, 1]


def test_books_of_twenty_levels_have_a_mode_of_their_own() -> None:
    codec = codec_of(stream=BOOKS)
    assert asks(codec.update({SBIN: Level(Mode.DEPTH, 20)})) == [(1, 4, {1: ["3045"]})]
    assert list(codec.received(deep())) == [decoded(deep())]


def test_a_refusal_names_the_instruments_of_its_request() -> None:
    codec = codec_of()
    (message,) = sent(codec.update({SBIN: Level(Mode.LTP)}))
    told = {"correlationID": message["correlationID"], "errorCode": "E1002", "errorMessage": "Limit Exceeded"}
    assert list(codec.received(json.dumps(told))) == [
        Notice("error", "Limit Exceeded (E1002)"),
        Refusal(SBIN, "Limit Exceeded (E1002)"),
    ]
    assert list(codec.received(json.dumps(told))) == [Notice("error", "Limit Exceeded (E1002)")]
    for number in range(REMEMBERED + 1):
        list(codec.update({key_of(1, str(number)): Level(Mode.LTP)}))
    assert list(codec.received(json.dumps({"errorCode": "E1001"}))) == [Notice("error", " (E1001)")]


def test_a_text_is_beaten_with_another() -> None:
    for codec in (codec_of(SBIN), OrdersCodec()):
        assert list(codec.heartbeat()) == [Send("ping")]
        assert list(codec.received("pong")) == []
        assert list(codec.opened()) == [LoggedIn()]


# --- news of orders ---------------------------------------------------------------------------------------------------

ORDER = {
    "variety": "NORMAL", "ordertype": "LIMIT", "ordertag": "10007712", "producttype": "DELIVERY", "price": 551,
    "triggerprice": 0, "quantity": "1", "disclosedquantity": "0", "duration": "DAY", "tradingsymbol": "SBIN-EQ",
    "transactiontype": "BUY", "exchange": "NSE", "symboltoken": "3045", "averageprice": 551, "filledshares": "1",
    "unfilledshares": "0", "orderid": "111111111111111", "text": "", "status": "complete", "orderstatus": "complete",
    "updatetime": "25-Oct-2023 11:53:21", "exchtime": "",
}  # fmt: skip


def news(order: dict[str, Any], code: str = "AB05", **more: Any) -> str:
    told = {"user-id": "A1", "status-code": "200", "order-status": code, "error-message": "", "orderData": order}
    return json.dumps(told | more)


def test_news_of_an_order() -> None:
    (told,) = OrdersCodec().received(news(ORDER))
    assert told == OrderUpdate(
        order_id="111111111111111",
        brsymbol="SBIN-EQ",
        brexchange="NSE",
        action="BUY",
        quantity=1,
        status="complete",
        product="CNC",
        price_type="LIMIT",
        price=551.0,
        filled_quantity=1,
        average_price=551.0,
        tag="10007712",
        timestamp=1_698_215_001_000,
        native={"variety": "NORMAL"},
    )


def test_the_greeting_says_nothing_and_may_have_an_order() -> None:
    empty = dict.fromkeys(ORDER, "") | {"price": 0}
    assert list(OrdersCodec().received(news(empty, "AB00"))) == []
    (told,) = OrdersCodec().received(news(ORDER | {"status": "rejected"}, "AB00"))  # as the documentation's sample
    assert isinstance(told, OrderUpdate)
    assert told.status == "rejected"


@pytest.mark.parametrize("code", ["401", "403", 401])
def test_a_refused_session_ends_the_attempts(code: str | int) -> None:
    beside: dict[str, Any] = {"status-code": code, "error-message": "Invalid Token"}
    (told,) = OrdersCodec().received(news({}, **beside))
    assert told == AuthExpired("Invalid Token")


def test_an_order_is_told_whatever_stands_beside_it() -> None:
    rejected = ORDER | {"status": "rejected", "text": "insufficient funds"}
    sides: list[dict[str, Any]] = [{"error-message": "Order rejected"}, {"error-message": None}, {"status-code": 200}]
    for beside in sides:
        (told,) = OrdersCodec().received(news(rejected, "AB03", **beside))
        assert isinstance(told, OrderUpdate)
        assert told.status == "rejected"


def test_another_error_is_for_the_log() -> None:
    (told,) = OrdersCodec().received(news({}, **{"status-code": "429", "error-message": "connection limit"}))
    assert told == Notice("error", "connection limit (429)")


# --- the streams ------------------------------------------------------------------------------------------------------


def test_where_the_sockets_are() -> None:
    feed, orders = next_endpoint(FEED), next_endpoint(NEWS)
    assert feed.url == "wss://smartapisocket.angelone.in/smart-stream"
    assert orders.url == "wss://tns.angelone.in/smart-order-update"
    for endpoint in (feed, orders):
        assert endpoint.headers == {
            "Authorization": "Bearer eyJ",
            "x-api-key": "k",
            "x-client-code": "A1",
            "x-feed-token": "f",
        }
    assert (feed.dead_credential, orders.dead_credential) == ({401}, {401, 403})
    assert (FEED.limits.group, NEWS.limits.group, NEWS.opens) == (BOOKS.limits.group, "", "with_session")


def test_keys_have_the_segment() -> None:
    index = Instrument(
        symbol="NIFTY", exchange=Exchange.NSE_INDEX, brsymbol="Nifty 50", brexchange="NSE", token="99926000"
    )
    assert FEED.key(index) == BOOKS.key(index) == b"\x0199926000"
    pair = Instrument(symbol="USDINR", exchange=Exchange.CDS, brsymbol="USDINR", brexchange="CDS", token="1")
    assert FEED.key(pair) == b"\x0d1"
    assert NEWS.key(pair) is None
