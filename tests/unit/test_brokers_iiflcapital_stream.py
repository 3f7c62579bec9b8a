"""IIFL Capital: packets of every kind and what the simulator makes of them, topics, grants, and news of orders."""

import base64
import json
import struct
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import BooksChanged, Confirmed, Ctx, LoggedIn, Notice, Refusal, Result, Send, Session
from sangam.brokers.iiflcapital import SPEC
from sangam.brokers.iiflcapital.packets import interest, price
from sangam.brokers.iiflcapital.stream import FeedCodec, key_of, topics
from sangam.brokers.wire import Granted, MqttMessage, MqttSubscribe, MqttUnsubscribe
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError, Unknown
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Key, Patch
from sangam.model.order import OrderUpdate

# iiflcapital.md, 7.3
MARKET = bytes.fromhex(
    "10f3010074000000e454750058f60100ecee010097f3010077f5010063f2010000003e0000000bf301008b05000015f3010001740700f4d7"
    "0a0064000000e8c4eb663e0000000bf30100030000003300000006f30100020000008800000001f301000400000082010000fcf201000800"
    "000032010000f7f20100080000008b05000015f3010003000000630000001af3010003000000610000001ff3010002000000e500000024f3"
    "0100060000004901000029f30100050000000000"
)
INTEREST = struct.pack("<4i", 123456, 130000, 120000, 119000)
QUOTE: dict[str, Any] = {
    "ltp": 1277.6, "open": 1278.95, "high": 1286.0, "low": 1267.0, "close": 1283.75, "volume": 7689444,
    "last_trade_quantity": 116, "avg_trade_price": 1275.87, "total_buy_quantity": 488449,
    "total_sell_quantity": 710644, "ltt": 1_726_727_400_000,
}  # fmt: skip
BOOK = Depth(
    [DepthLevel(1277.55, 62, 3), DepthLevel(1277.5, 51, 2), DepthLevel(1277.45, 136, 4), DepthLevel(1277.4, 386, 8),
     DepthLevel(1277.35, 306, 8)],
    [DepthLevel(1277.65, 1419, 3), DepthLevel(1277.7, 99, 3), DepthLevel(1277.75, 97, 2), DepthLevel(1277.8, 229, 6),
     DepthLevel(1277.85, 329, 5)],
)  # fmt: skip
KEY, INDEX, FUTURE = "nseeq/2885", "nseeq/999920010/index", "nsefo/35382"
LTP, QUOTES, DEPTH = Level(Mode.LTP), Level(Mode.QUOTE), Level(Mode.DEPTH, 5)
MW, OI = "prod/marketfeed/mw/v1/", "prod/marketfeed/oi/v1/"
ORDERS, TRADES = "prod/updates/order/v1/31625881", "prod/updates/trade/v1/31625881"
NEWS = {
    "clientId": "31625881", "validity": "DAY", "orderComplexity": "REGULAR", "product": "NORMAL",
    "orderType": "LIMIT", "tradingSymbol": "IDEA-EQ", "transactionType": "B", "instrumentId": "14366",
    "price": "15.00", "slTriggerPrice": "0", "quantity": "75", "disclosedQuantity": "10", "cancelledQuantity": "0",
    "averageTradedPrice": "15.10", "filledQuantity": "50", "pendingQuantity": "25",
    "brokerOrderId": "240807000000068", "exchangeOrderId": "900000000000000001", "rejectionReason": "",
    "orderStatus": "open", "exchangeTimestamp": "07-Aug-2024 16:14:17", "exchangeUpdateTime": "07-Aug-2024 16:14:17",
    "validityDate": "45511", "brokerUpdateTime": "07-Aug-2024 16:14:18",
}  # fmt: skip


# --- packets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packet", [MARKET, MARKET[:186]])
def test_the_sample_in_every_mode(packet: bytes) -> None:
    assert price(KEY, packet, Mode.LTP, False) == Patch(KEY, {"ltp": 1277.6, "ltt": QUOTE["ltt"]})
    assert price(KEY, packet, Mode.QUOTE, False) == Patch(KEY, QUOTE)  # type: ignore[arg-type]
    assert price(KEY, packet, Mode.DEPTH, False) == Patch(KEY, QUOTE, BOOK)  # type: ignore[arg-type]


def test_an_index_has_neither_trades_nor_a_book() -> None:
    patch = price(KEY, MARKET, Mode.DEPTH, True)
    assert patch.depth is None
    assert patch.fields.keys() == {"ltp", "open", "high", "low", "close", "ltt"}


@pytest.mark.parametrize(("divisor", "ltp"), [(0, 1277.6), (-1, 1277.6), (100, 1277.6), (10_000, 12.776), (1, 127760)])
def test_the_divisor_is_the_packets_own_and_none_is_a_hundred(divisor: int, ltp: float) -> None:
    packet = MARKET[:58] + struct.pack("<i", divisor) + MARKET[62:]
    for mode in Mode:
        assert price(KEY, packet, mode, False).fields["ltp"] == ltp


def test_empty_rows_are_no_levels_and_no_time_is_none() -> None:
    packet = MARKET[:62] + bytes(4) + MARKET[66:78] + bytes(48) + bytes(60) + b"\0\0"
    patch = price(KEY, packet, Mode.DEPTH, False)
    assert patch.depth == Depth([DepthLevel(1277.55, 62, 3)], [])
    assert "ltt" not in patch.fields
    assert "ltt" not in price(KEY, packet, Mode.LTP, False).fields


def test_the_short_record_of_an_index() -> None:
    packet = struct.pack("<BHIHHIi", 1, 900, 2_500_050, 30, 20, 2_490_000, 100)
    assert len(packet) == 19
    for mode in Mode:
        assert price(INDEX, packet, mode, True) == Patch(INDEX, {"ltp": 25000.5, "close": 24900.0})


def test_open_interest() -> None:
    assert interest(KEY, INTEREST) == Patch(KEY, {"oi": 123456, "oi_day_high": 130000, "oi_day_low": 120000})


@given(st.binary(max_size=400) | st.sampled_from([MARKET[:19], MARKET[:186], MARKET]), st.sampled_from(list(Mode)))
def test_any_bytes_are_a_packet_by_their_length_or_damage(data: bytes, mode: Mode) -> None:
    if len(data) in (19, 186, 188):
        assert price(KEY, data, mode, False).key == KEY
    else:
        with pytest.raises(DecodeError):
            price(KEY, data, mode, False)
    if len(data) != 16:
        with pytest.raises(DecodeError):
            interest(KEY, data)


I32, U32 = st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**32 - 1)
LEVEL = st.tuples(U32, I32, st.integers(-(2**15), 2**15 - 1), st.integers(0, 0xFFFF))
LEVELS = st.lists(LEVEL, min_size=10, max_size=10)


@given(st.lists(I32, min_size=6, max_size=6), st.lists(U32, min_size=4, max_size=4), I32, I32, LEVELS)
def test_whatever_numbers_a_packet_has_come_out_of_it(
    prices: list[int], counts: list[int], divisor: int, traded: int, rows: list[tuple[int, int, int, int]]
) -> None:
    (ltp, high, low, open_, close, average), (last, volume, buying, selling) = prices, counts
    packet = struct.pack("<iII5iH4I2Iii", ltp, last, volume, high, low, open_, close, average, 7, 1, 2, 3, 4, buying,
                         selling, divisor, traded)  # fmt: skip
    packet += b"".join(struct.pack("<IihH", *row) for row in rows)
    div = divisor if divisor > 0 else 100
    patch = price(KEY, packet, Mode.DEPTH, False)
    fields: dict[str, Any] = {
        "ltp": ltp / div, "high": high / div, "low": low / div, "open": open_ / div, "close": close / div,
        "avg_trade_price": average / div, "last_trade_quantity": last, "volume": volume,
        "total_buy_quantity": buying, "total_sell_quantity": selling,
    }  # fmt: skip
    assert patch.fields == (fields | {"ltt": traded * 1000} if traded > 0 else fields)
    levels = [DepthLevel(cost / div, quantity, orders) for quantity, cost, orders, _ in rows]
    kept = [[row for row in side if row.quantity or row.price or row.orders] for side in (levels[:5], levels[5:])]
    assert patch.depth == Depth(*kept)


# --- topics -----------------------------------------------------------------------------------------------------------


def codec(*granted: str) -> FeedCodec:
    made = FeedCodec("31625881")
    list(made.opened())
    list(made.received(Granted(taken=(ORDERS, TRADES))))
    return made


def sent(results: list[Result]) -> list[tuple[str, ...]]:
    return [
        result.command.topics
        for result in results
        if isinstance(result, Send) and isinstance(result.command, MqttSubscribe | MqttUnsubscribe)
    ]


def test_the_socket_is_in_when_the_news_of_orders_are_granted() -> None:
    made = FeedCodec("AB1234")
    (asked,) = made.opened()
    assert isinstance(asked, Send)
    assert asked.command == MqttSubscribe(("prod/updates/order/v1/ab1234", "prod/updates/trade/v1/ab1234"))
    assert list(made.received(Granted(taken=("prod/updates/order/v1/ab1234", "prod/updates/trade/v1/ab1234")))) == [
        LoggedIn()
    ]
    refused = list(FeedCodec("31625881").received(Granted(taken=(TRADES,), refused=(ORDERS,))))
    assert refused == [LoggedIn(), Notice("error", f"no news of orders will come: {ORDERS} not granted")]


def test_what_each_kind_of_instrument_is_told_by() -> None:
    assert topics(KEY, DEPTH) == [f"{MW}nseeq/2885"]
    assert topics(FUTURE, LTP) == [f"{MW}nsefo/35382"]
    assert topics(FUTURE, QUOTES) == [f"{MW}nsefo/35382", f"{OI}nsefo/35382"]
    assert topics(INDEX, LTP) == [f"{MW}nseeq/999920010", "prod/marketfeed/index/v1/nseeq/999920010"]


@pytest.mark.parametrize(
    ("exchange", "brexchange", "expiry", "key", "costs"),
    [
        (Exchange.NSE, "NSEEQ", None, "nseeq/7", (1, 1)),
        (Exchange.BSE_INDEX, "BSEEQ", None, "bseeq/7/index", (2, 2)),
        (Exchange.MCX, "MCXCOMM", date(2026, 8, 19), "mcxcomm/7", (1, 2)),
    ],
)
def test_keys_and_what_they_cost(
    exchange: Exchange, brexchange: str, expiry: date | None, key: str, costs: tuple[int, int]
) -> None:
    instrument = Instrument(
        symbol="X", exchange=exchange, brsymbol="X", brexchange=brexchange, token="7", expiry=expiry
    )
    (stream,) = SPEC.streams
    assert stream.key(instrument) == key_of(instrument) == key
    assert (stream.cost(instrument, LTP), stream.cost(instrument, DEPTH)) == costs


def test_differences_are_sent_in_batches() -> None:
    made = codec()
    many: dict[Key, Level] = {f"nsefo/{number}": QUOTES for number in range(1000)}
    first = list(made.update(many))
    assert [len(batch) for batch in sent(first)] == [1024, 976]
    assert isinstance(first[0], Send)
    assert len(first[0].keys) == 512
    assert sent(list(made.update({"nsefo/1": LTP, "nseeq/5": LTP})))[-1] == (f"{MW}nseeq/5",)
    assert sent(list(made.update({"nsefo/1": QUOTES}))) == [(f"{MW}nseeq/5",), (f"{OI}nsefo/1",)]
    assert list(made.update({"nsefo/1": QUOTES})) == []


def test_grants_and_refusals() -> None:
    made = codec()
    list(made.update({KEY: LTP, FUTURE: QUOTES, INDEX: LTP}))
    mw, index = topics(INDEX, LTP)
    assert list(made.received(Granted(taken=(f"{MW}{KEY}",), refused=(f"{OI}{FUTURE}", mw)))) == [Confirmed((KEY,))]
    assert list(made.received(Granted(taken=(index,)))) == [Confirmed((INDEX,))]
    (refusal,) = made.received(Granted(refused=(f"{MW}{FUTURE}",)))
    assert refusal == Refusal(FUTURE, f"the topic {MW}{FUTURE} is not granted")
    list(made.update({}))
    list(made.update({INDEX: LTP}))
    assert list(made.received(Granted(refused=(mw,)))) == []
    (refusal,) = made.received(Granted(refused=(index,)))
    assert refusal == Refusal(INDEX, f"the topic {index} is not granted")


def test_packets_are_told_to_who_wants_them_as_far_as_they_are_wanted() -> None:
    made = codec()
    list(made.update({FUTURE: LTP}))
    (patch,) = made.received(MqttMessage(f"{MW}{FUTURE}", MARKET))
    assert isinstance(patch, Patch)
    assert patch.fields.keys() == {"ltp", "ltt"}
    asked, more = made.update({FUTURE: DEPTH})
    assert sent([asked]) == [(f"{OI}{FUTURE}",)]
    assert more == Patch(FUTURE, QUOTE, BOOK)  # type: ignore[arg-type]
    assert list(made.received(MqttMessage(f"{OI}{FUTURE}", INTEREST))) == [interest(FUTURE, INTEREST)]
    list(made.update({}))
    assert list(made.received(MqttMessage(f"{MW}{FUTURE}", MARKET))) == []
    assert list(made.received(MqttMessage("prod/marketfeed/marketstatus/v1/nseeq", b"\2\0"))) == []


@pytest.mark.parametrize("topic", [f"{MW}{FUTURE}", f"{OI}{FUTURE}"])
@given(data=st.binary(max_size=400))
def test_damaged_packets_raise_nothing_but_decode_errors(topic: str, data: bytes) -> None:
    made = codec()
    list(made.update({FUTURE: DEPTH}))
    try:
        (told,) = made.received(MqttMessage(topic, data))
    except DecodeError:
        return
    assert isinstance(told, Patch)


@pytest.mark.parametrize("message", ["text", b"bytes"])
def test_other_messages_are_damage(message: str | bytes) -> None:
    with pytest.raises(DecodeError):
        list(codec().received(message))


# --- news of orders ---------------------------------------------------------------------------------------------------


def test_news_name_the_instrument_by_id_and_symbol_for_want_of_its_exchange() -> None:
    (told,) = codec().received(MqttMessage(ORDERS, json.dumps(NEWS).encode()))
    assert isinstance(told, OrderUpdate)
    assert (told.order_id, told.brexchange, told.token, told.brsymbol) == ("240807000000068", "", "14366", "IDEA-EQ")
    assert (told.action, told.quantity, told.filled_quantity, told.pending_quantity) == ("BUY", 75, 50, 25)
    assert (told.status, told.product, told.average_price, told.tag) == ("open", "NRML", 15.1, "")
    assert told.disclosed_quantity == 10
    assert told.timestamp == 1_723_027_458_000


def test_a_trade_makes_the_books_be_read() -> None:
    assert list(codec().received(MqttMessage(TRADES, b"{}"))) == [BooksChanged()]


@given(st.binary() | st.integers(0, 500).map(lambda at: json.dumps(NEWS).encode()[:at]))
def test_news_that_cannot_be_read_make_the_books_be_read(data: bytes) -> None:
    told = list(codec().received(MqttMessage(ORDERS, data)))
    assert BooksChanged() in told
    assert isinstance(told[0], Notice)


# --- the endpoint -----------------------------------------------------------------------------------------------------


def session(token: str) -> Session:
    return Session(account="a1", broker="iiflcapital", generation=1, secrets={"access_token": token})


def test_the_socket_is_opened_with_the_session_as_password() -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"preferred_username": "31625881"}).encode()).decode().rstrip("=")
    (stream,) = SPEC.streams
    operation = stream.open(session(f"eyJ.{claims}.sig"), Ctx(0, lambda count: bytes(range(count))))
    with pytest.raises(StopIteration) as caught:
        next(operation)
    endpoint = caught.value.value
    assert endpoint.url == "tls://bridge.iiflcapital.com:8883"
    assert endpoint.framing == "mqtt"
    assert endpoint.framing_options == {
        "client_id": "sangam000102030405", "username": "31625881", "password": f"OPENID~~eyJ.{claims}.sig~",
        "keep_alive": 20,
    }  # fmt: skip
    assert stream.codec(session("x"), endpoint, Ctx(0, bytes))
    assert stream.ping is not None
    assert stream.silence is not None
    assert stream.ping < 20 < stream.silence
    with pytest.raises(Unknown):
        next(stream.open(session("not a jwt"), Ctx(0, bytes)))
