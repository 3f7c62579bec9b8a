"""The feed and the deep books: the sheet's packets, damaged messages, requests, times, disconnects."""

import contextlib
import json
import struct
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import AuthExpired, Confirmed, Ctx, Notice, Request, Result, Send, Session, Stream
from sangam.brokers.dhan import SPEC
from sangam.brokers.dhan.stream import BookCodec, FeedCodec
from sangam.model.clock import IST
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError, SessionExpired, Unknown
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Key, Patch

# dhan.md, 7: constructed samples, checked by the SDK
TICKER = bytes.fromhex("02100001350500000090b244de6cc167")
CLOSE = bytes.fromhex("06100001350500000088b14400000000")
QUOTE = bytes.fromhex(
    "04320001350500000090b2440700de6cc1670038b24417321200018a0500bbe9030000a0b1440000000000c0b2440050b144"
)
OI = bytes.fromhex("050c0002b9bf0000bf8dd000")
FULL = bytes.fromhex(
    "08a20001350500000090b2440700de6cc1670038b24417321200018a0500bbe9030000000000000000000000000000a0b1440000000000c0b2440050"
    "b14405000000ac000000010003000090b2440098b24406000000ad000000020004000088b24400a0b24407000000ae000000030005000080b24400a8"
    "b24408000000af000000040006000078b24400b0b24409000000b0000000050007000070b24400b8b244"
)
DISCONNECT = bytes.fromhex("320a0000000000002503")
KEY = (1, 1333)

CTX = Ctx(1_740_729_000_000, bytes)
SESSION = Session(account="a1", broker="dhan", generation=1, secrets={"client_id": "1000000001", "access_token": "t&1"})
HDFCBANK = Instrument(symbol="HDFCBANK", exchange=Exchange.NSE, brsymbol="HDFCBANK", brexchange="NSE_EQ", token="1333")


def patch(message: bytes, codec: FeedCodec | None = None) -> Patch:
    (found,) = (codec or FeedCodec(CTX.now_ms)).received(message)
    assert isinstance(found, Patch)
    return found


def requests(results: Iterable[Result]) -> list[dict[str, Any]]:
    return [json.loads(str(result.command)) for result in results if isinstance(result, Send)]


def stream(name: str) -> Stream:
    return next(each for each in SPEC.streams if each.name == name)


# --- packets ----------------------------------------------------------------------------------------------------------


def test_the_full_packet() -> None:
    """Sell total precedes buy total, close precedes high and low; a share has no open interest."""
    found = patch(FULL)
    assert (found.key, found.full) == (KEY, False)
    assert found.fields == {
        "ltp": 1428.5,
        "open": 1421.0,
        "high": 1430.0,
        "low": 1418.5,
        "ltt": 1_740_729_566_000,
        "volume": 1_192_471,
        "last_trade_quantity": 7,
        "avg_trade_price": 1425.75,
        "total_buy_quantity": 256_443,
        "total_sell_quantity": 363_009,
    }
    assert found.depth == Depth(
        [DepthLevel(1428.5 - 0.25 * n, 5 + n, 1 + n) for n in range(5)],
        [DepthLevel(1428.75 + 0.25 * n, 172 + n, 3 + n) for n in range(5)],
    )


def test_the_smaller_packets() -> None:
    quote = patch(QUOTE)
    assert quote.depth is None
    assert quote.fields == patch(FULL).fields
    assert patch(TICKER).fields == {"ltp": 1428.5, "ltt": 1_740_729_566_000}
    assert patch(CLOSE) == Patch(KEY, {"close": 1420.25})
    assert patch(OI) == Patch((2, 49081), {"oi": 13_667_775})


def test_a_day_of_a_derivative_and_of_an_index() -> None:
    interest = struct.pack("<III", 5000, 6000, 4000)
    nifty = patch(FULL[:3] + b"\x02" + FULL[4:34] + interest + FULL[46:])
    assert {name: value for name, value in nifty.fields.items() if name.startswith("oi")} == {
        "oi": 5000,
        "oi_day_high": 6000,
        "oi_day_low": 4000,
    }
    elsewhere = patch(FULL[:3] + b"\x05" + FULL[4:])
    assert elsewhere.fields["oi"] == 0
    assert "oi_day_high" not in elsewhere.fields
    index = patch(FULL[:3] + b"\x00" + FULL[4:])
    assert index.fields.keys() == {"ltp", "open", "high", "low", "ltt"}
    assert index.depth == Depth([], [])
    assert patch(QUOTE[:3] + b"\x00" + QUOTE[4:]).fields.keys() == index.fields.keys()


@given(st.integers(1, 10_000_000), st.sampled_from([(1, 100), (2, 100), (5, 100), (3, 10_000), (7, 10_000)]))
def test_single_floats_become_the_price_they_were(price: int, segment: tuple[int, int]) -> None:
    """As far as 24 bits can tell one price from its neighbours."""
    code, scale = segment
    told = struct.pack("<BHBIfI", 2, 16, code, 7, price / scale, 0)
    assert patch(told).fields == {"ltp": price / scale}


def test_empty_rows_of_a_book_are_dropped() -> None:
    thin = patch(FULL[:82] + bytes(80))
    assert thin.depth == Depth([DepthLevel(1428.5, 5, 1)], [DepthLevel(1428.75, 172, 3)])
    assert patch(FULL[:62] + bytes(100)).depth == Depth([], [])


def test_several_packets_may_stand_in_one_message() -> None:
    found = list(FeedCodec(CTX.now_ms).received(CLOSE + FULL + OI))
    assert [each.key for each in found if isinstance(each, Patch)] == [KEY, KEY, (2, 49081)]


def test_strange_packets_are_skipped_once_loudly() -> None:
    codec = FeedCodec(CTX.now_ms)
    strange = struct.pack("<BHBI", 1, 10, 0, 13) + b"xx"
    first, *rest = codec.received(strange + TICKER)
    assert isinstance(first, Notice)
    assert len(rest) == 1
    assert len(list(codec.received(strange + TICKER))) == 1
    assert list(codec.received(struct.pack("<BHBI", 7, 8, 1, 0))) == []  # the market's state
    assert isinstance(next(iter(codec.received("some words"))), Notice)


# --- times ------------------------------------------------------------------------------------------------------------


def ticker(clock: datetime) -> bytes:
    """A trade at this time of a clock, counted as if the clock were UTC's."""
    seconds = int((clock - datetime(1970, 1, 1)).total_seconds())
    return struct.pack("<BHBIfI", 2, 16, 1, 1333, 100.0, seconds)


def told(codec: FeedCodec, clock: datetime) -> datetime:
    found = next(each for each in codec.received(ticker(clock)) if isinstance(each, Patch))
    return datetime.fromtimestamp(found.fields["ltt"] / 1000, IST).replace(tzinfo=None)


def opened(clock: datetime) -> FeedCodec:
    """A feed whose socket was opened at this time in India."""
    return FeedCodec(int(clock.replace(tzinfo=IST).timestamp() * 1000))


def wait(codec: FeedCodec, hours: int) -> None:
    for _ in range(hours * 60):
        assert list(codec.heartbeat()) == []


def test_times_of_indias_clock_and_of_utc() -> None:
    morning = datetime(2026, 8, 18, 9, 0)
    shifted, true = opened(morning), opened(morning)
    assert told(shifted, datetime(2026, 8, 18, 9, 15)) == datetime(2026, 8, 18, 9, 15)
    assert told(true, datetime(2026, 8, 18, 3, 45)) == datetime(2026, 8, 18, 9, 15)  # no market trades at 03:45
    wait(shifted, 15)
    wait(true, 7)
    assert told(shifted, datetime(2026, 8, 18, 23, 30)) == datetime(2026, 8, 18, 23, 30)
    assert told(true, datetime(2026, 8, 18, 10, 0)) == datetime(2026, 8, 18, 15, 30)


def test_what_lies_ahead_of_us_is_indias_clock_whatever_the_hour() -> None:
    """Simulated markets trade at night, when the hour would prove UTC."""
    codec = opened(datetime(2026, 8, 18, 3, 48))
    assert told(codec, datetime(2026, 8, 18, 3, 48)) == datetime(2026, 8, 18, 3, 48)
    wait(codec, 1)
    assert told(codec, datetime(2026, 8, 18, 4, 48)) == datetime(2026, 8, 18, 4, 48)
    doubtful = opened(datetime(2026, 8, 18, 9, 30))
    assert told(doubtful, datetime(2026, 8, 18, 4, 20)) == datetime(2026, 8, 18, 9, 50)  # a trade of 04:20, at night
    assert told(doubtful, datetime(2026, 8, 18, 9, 30)) == datetime(2026, 8, 18, 9, 30)  # now it is clear
    assert told(doubtful, datetime(2026, 8, 18, 4, 20)) == datetime(2026, 8, 18, 4, 20)


def test_no_trade_is_told_far_in_the_future() -> None:
    codec = opened(datetime(2026, 8, 18, 9, 15))
    for ahead in (datetime(2026, 8, 18, 10, 30), datetime(2026, 8, 19, 9, 15), datetime(2106, 1, 1)):
        (found,) = codec.received(ticker(ahead))
        assert isinstance(found, Patch)
        assert found.fields == {"ltp": 100.0}
    assert told(codec, datetime(2026, 8, 18, 3, 50)) == datetime(2026, 8, 18, 9, 20)  # such a time proves nothing
    feed = stream("feed")
    assert feed.heartbeat == 60.0


@pytest.mark.parametrize("seconds", [0, 315_532_800])
def test_what_was_never_traded_has_no_time(seconds: int) -> None:
    assert "ltt" not in patch(TICKER[:12] + struct.pack("<I", seconds)).fields


def test_on_a_new_day_everything_is_subscribed_anew() -> None:
    """The previous close is told once for each subscription."""
    monday = datetime(2026, 8, 17, 8, 0, tzinfo=IST)
    codec = FeedCodec(int(monday.timestamp() * 1000))
    list(codec.update({KEY: Level(Mode.QUOTE)}))
    for clock in (datetime(2026, 8, 14, 15, 29), datetime(2026, 8, 17, 9, 15), datetime(2026, 8, 17, 23, 59)):
        assert len(list(codec.received(ticker(clock)))) == 1
        wait(codec, 15)
    _, *again = codec.received(ticker(datetime(2026, 8, 18, 9, 15)))
    assert [request["RequestCode"] for request in requests(again)] == [18, 17]
    assert len(list(codec.received(ticker(datetime(2026, 8, 18, 9, 16))))) == 1


# --- requests ---------------------------------------------------------------------------------------------------------


def test_each_mode_has_its_request() -> None:
    codec = FeedCodec(CTX.now_ms)
    results = list(codec.update({KEY: Level(Mode.LTP), (0, 13): Level(Mode.QUOTE), (2, 7): Level(Mode.DEPTH)}))
    assert requests(results) == [
        {
            "RequestCode": code,
            "InstrumentCount": 1,
            "InstrumentList": [{"ExchangeSegment": segment, "SecurityId": number}],
        }
        for code, segment, number in ((15, "NSE_EQ", "1333"), (17, "IDX_I", "13"), (21, "NSE_FNO", "7"))
    ]
    assert {key for each in results if isinstance(each, Confirmed) for key in each.keys} == {KEY, (0, 13), (2, 7)}
    assert list(codec.update(codec.sent)) == []


def test_another_mode_ends_the_former_one_first() -> None:
    codec = FeedCodec(CTX.now_ms)
    list(codec.update({KEY: Level(Mode.LTP)}))
    assert [each["RequestCode"] for each in requests(codec.update({KEY: Level(Mode.DEPTH)}))] == [16, 21]
    assert [each["RequestCode"] for each in requests(codec.update({}))] == [22]


def test_what_comes_late_of_a_fuller_mode_sets_nothing_that_nobody_renews() -> None:
    codec = FeedCodec(CTX.now_ms)
    list(codec.update({KEY: Level(Mode.DEPTH)}))
    assert patch(FULL, codec).depth is not None
    list(codec.update({KEY: Level(Mode.QUOTE)}))
    late = patch(FULL, codec)
    assert (late.depth, late.fields) == (None, patch(QUOTE, codec).fields)
    list(codec.update({KEY: Level(Mode.LTP)}))
    for packet in (FULL, QUOTE):
        late = patch(packet, codec)
        assert (late.depth, late.fields) == (None, patch(TICKER, codec).fields)


def test_a_message_has_at_most_a_hundred_instruments() -> None:
    wanted: dict[Key, Level] = {(1, number): Level(Mode.LTP) for number in range(250)}
    codec = FeedCodec(CTX.now_ms)
    for sent in (codec.update(wanted), codec.update({})):
        counts = [each["InstrumentCount"] for each in requests(sent)]
        assert counts == [100, 100, 50]


@pytest.mark.parametrize(("reason", "kind"), [(805, Notice), (806, Notice), (807, AuthExpired), (809, AuthExpired)])
def test_a_disconnect_says_why(reason: int, kind: type[Result]) -> None:
    (found,) = FeedCodec(CTX.now_ms).received(DISCONNECT[:8] + struct.pack("<H", reason))
    assert isinstance(found, kind)
    deep = struct.pack("<hBBiI", 14, 50, 0, 0, 0) + struct.pack("<h", reason)
    as_the_sdk_reads = struct.pack("<hBBiI", 12, 50, 0, 0, reason)
    for message in (deep, as_the_sdk_reads):
        (found,) = BookCodec(20).received(message)
        assert isinstance(found, kind)


# --- deep books -------------------------------------------------------------------------------------------------------


def book(code: int, rows: list[tuple[float, int, int]], levels: int = 20, key: tuple[int, int] = KEY) -> bytes:
    padded = rows + [(0.0, 0, 0)] * (20 - len(rows)) if levels == 20 else rows
    body = b"".join(struct.pack("<dII", *row) for row in padded)
    return struct.pack("<hBBiI", 12 + len(body), code, *key, len(rows)) + body


BIDS, ASKS = [(1428.5, 100, 1), (1428.45, 7, 2)], [(1428.55, 9, 3)]


@pytest.mark.parametrize("levels", [20, 200])
def test_both_sides_make_a_book(levels: int) -> None:
    codec = BookCodec(levels)
    list(codec.update({KEY: Level(Mode.DEPTH, levels)}))
    whole = [Patch(KEY, {}, Depth([DepthLevel(*row) for row in BIDS], [DepthLevel(*row) for row in ASKS]))]
    assert list(codec.received(book(41, BIDS, levels))) == []  # half a book is none
    assert list(codec.received(book(51, ASKS, levels))) == whole
    assert list(codec.received(book(41, BIDS, levels) + book(51, ASKS, levels))) == whole
    (emptied,) = codec.received(book(51, [], levels))
    assert isinstance(emptied, Patch)
    assert emptied.depth == Depth([DepthLevel(*row) for row in BIDS], [])


def test_a_side_that_crosses_the_others_older_one_waits_for_it() -> None:
    """Bids that rose above the asks of the message before make no book that ever stood."""
    codec = BookCodec(20)
    list(codec.update({KEY: Level(Mode.DEPTH, 20)}))
    assert len(list(codec.received(book(41, BIDS) + book(51, ASKS)))) == 1
    risen, dearer = [(1428.6, 100, 1)], [(1428.65, 9, 3)]
    assert list(codec.received(book(41, risen))) == []
    assert list(codec.received(book(51, dearer))) == [
        Patch(KEY, {}, Depth([DepthLevel(*row) for row in risen], [DepthLevel(*row) for row in dearer]))
    ]
    assert len(list(codec.received(book(41, BIDS)))) == 1
    assert len(list(codec.received(book(41, dearer) + book(51, risen)))) == 1  # before the opening books may cross


def test_books_of_several_instruments_in_one_message() -> None:
    codec, other = BookCodec(20), (2, 7)
    list(codec.update({KEY: Level(Mode.DEPTH, 20), other: Level(Mode.DEPTH, 20)}))
    message = b"".join(book(code, rows, key=key) for key in (KEY, other) for code, rows in ((41, BIDS), (51, ASKS)))
    assert [each.key for each in codec.received(message) if isinstance(each, Patch)] == [KEY, other]
    list(codec.update({other: Level(Mode.DEPTH, 20)}))
    assert [each.key for each in codec.received(message) if isinstance(each, Patch)] == [other]


def test_requests_of_deep_books() -> None:
    twenty, many = BookCodec(20), BookCodec(200)
    level = Level(Mode.DEPTH, 20)
    assert [(each["RequestCode"], each["InstrumentCount"]) for each in requests(twenty.update({KEY: level}))] == [
        (23, 1)
    ]
    assert [each["RequestCode"] for each in requests(twenty.update({}))] == [25]
    assert requests(many.update({KEY: level})) == [
        {"RequestCode": 23, "ExchangeSegment": "NSE_EQ", "SecurityId": "1333"}
    ]
    assert requests(many.update({})) == [{"RequestCode": 25, "ExchangeSegment": "NSE_EQ", "SecurityId": "1333"}]


# --- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        FULL[:-1],
        FULL + b"\x00",
        FULL[:5],
        b"\x02\x07\x00" + bytes(5),
        TICKER[:3] + b"\x06" + TICKER[4:],  # no such segment
        TICKER[:1] + b"\x32" + TICKER[2:] + bytes(34),  # a length of another kind
        TICKER[:8] + struct.pack("<f", float("nan")) + TICKER[12:],
        TICKER[:8] + struct.pack("<f", float("inf")) + TICKER[12:],
        bytes(range(256)) * 2,
    ],
)
def test_damage_is_a_decode_error(message: bytes) -> None:
    with pytest.raises(DecodeError):
        FeedCodec(CTX.now_ms).received(message)


@given(st.sampled_from([TICKER, CLOSE, QUOTE, OI, FULL, DISCONNECT]), st.data())
def test_damaged_messages_raise_decode_errors_and_nothing_else(packet: bytes, data: st.DataObject) -> None:
    message = bytearray(packet + packet)
    for _ in range(data.draw(st.integers(0, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    del message[data.draw(st.integers(0, len(message))) :]
    message += data.draw(st.binary(max_size=20))
    with contextlib.suppress(DecodeError):
        list(FeedCodec(CTX.now_ms).received(bytes(message)))


@given(st.sampled_from([20, 200]), st.data())
def test_damaged_books_raise_decode_errors_and_nothing_else(levels: int, data: st.DataObject) -> None:
    message = bytearray(book(41, BIDS, levels) + book(51, ASKS, levels))
    for _ in range(data.draw(st.integers(0, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    del message[data.draw(st.integers(0, len(message))) :]
    codec = BookCodec(levels)
    list(codec.update({KEY: Level(Mode.DEPTH, levels)}))
    with contextlib.suppress(DecodeError):
        list(codec.received(bytes(message)))


@pytest.mark.parametrize("codec", [FeedCodec(CTX.now_ms), BookCodec(20)])
def test_other_messages_are_none_of_this_wire(codec: Any) -> None:
    with pytest.raises(DecodeError):
        codec.received(7)


# --- streams ----------------------------------------------------------------------------------------------------------


def test_each_attempt_asks_first_whether_the_session_stands() -> None:
    """The upgrade says nothing about the token."""
    for name, path in (("feed", ""), ("depth20", "/twentydepth"), ("depth200", "/twohundreddepth"), ("orders", "")):
        opening = stream(name).open(SESSION, CTX)
        request = next(opening)
        assert isinstance(request, Request)
        assert (request.path, request.effect) == ("/profile", "read")
        with pytest.raises(StopIteration) as stop:
            opening.throw(Unknown("out of order"))  # no matter of the feeds
        url = stop.value.value.url
        assert path in url
        assert ("token=t%261&clientId=1000000001&authType=2" in url) == (name != "orders")
        opening = stream(name).open(SESSION, CTX)
        next(opening)
        with pytest.raises(SessionExpired):
            opening.throw(SessionExpired("dead"))


def test_the_streams_share_their_sockets() -> None:
    limits = {each.name: each.limits for each in SPEC.streams if each.carries.modes}
    assert {name: (each.symbols_per_socket, each.group) for name, each in limits.items()} == {
        "feed": (5000, "feeds"),
        "depth20": (50, "feeds"),
        "depth200": (1, "feeds"),
    }
    assert [each.carries.book_only for each in SPEC.streams] == [False, True, True, False]
    assert all(each.key(HDFCBANK) == (KEY if each.carries.modes else None) for each in SPEC.streams)
