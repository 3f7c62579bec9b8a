"""The data socket on the sheet's frames, and on damaged ones."""

import contextlib
import struct
from base64 import urlsafe_b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.canned import result

from sangam.brokers.contract import (
    AuthExpired,
    Confirmed,
    Ctx,
    LimitChanged,
    LoggedIn,
    Notice,
    Refusal,
    Result,
    Send,
    Session,
)
from sangam.brokers.families.hsm import HsmCodec
from sangam.brokers.fyers import SPEC
from sangam.brokers.fyers.stream import DIALECT, HSM
from sangam.brokers.fyers.stream import codec as made
from sangam.model.enums import Exchange, InstrumentType, Mode
from sangam.model.errors import DecodeError, SessionExpired
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Key, Patch

# fyers.md, 7a: made and read by the SDK
AUTH = "0023010401000441424344020001500300010104000f507974686f6e53444b2d332e322e30"
AUTH_OK = bytes.fromhex("0000010201" + "00014b" + "02" + "0004" + "00000003")
MODE_FULL = "00000c02010008000000000000080002000146"
SUBSCRIBE = "0039040201001100010e73667c6e73655f636d7c333034350200010b"
SUBSCRIBED = bytes.fromhex("000004010100014b")
NOT_SUBSCRIBED = bytes.fromhex("0000040101000145")
ACK_7 = "0009030101000400000007"
SNAPSHOT = bytes.fromhex(
    "0084060000000100015300000e73667c6e73655f636d7c33303435150000ece0002e775c64c9e79664c9e7960000082100000387"
    "0000ece00000ece500000005000b71880010a9df0000ed94800000000000eca90000ee7a80000000800000000000da0c00010a7c0000ee39"
    "0000f2440000000102034e53450433303435075342494e2d4551"
)
UPDATE = bytes.fromhex("005f06000000020001550000150000ecea" + 20 * "80000000")
LITE = bytes.fromhex("000e060000000300014c00000000ecef")
LIMIT_REACHED = bytes.fromhex("001d33030100040000c73902000d6c696d6974207265616368656403000104")

KEY = "sf|nse_cm|3045"
QUOTE, DEPTH, LTP = Level(Mode.QUOTE), Level(Mode.DEPTH), Level(Mode.LTP)
SNAPSHOT_FIELDS = {
    "ltp": 606.4, "volume": 3045212, "ltt": 1_690_953_622_000, "timestamp": 1_690_953_622_000, "bid_size": 2081,
    "ask_size": 903, "bid_price": 606.4, "ask_price": 606.45, "last_trade_quantity": 5, "total_buy_quantity": 749960,
    "total_sell_quantity": 1092063, "avg_trade_price": 608.2, "low": 605.85, "high": 610.5, "open": 609.85,
    "close": 620.2,
}  # fmt: skip


def hear(codec: HsmCodec, *frames: bytes) -> list[Result]:
    return [result for frame in frames for result in codec.received(frame)]


def wanting(level: Level = QUOTE, key: Key = KEY) -> HsmCodec:
    codec = made("ABCD", "t" * 28)
    hear(codec, AUTH_OK)
    list(codec.update({key: level}))
    return codec


def test_login_mode_and_subscription_are_the_sheets_frames() -> None:
    codec = made("ABCD", "t" * 24)
    assert list(codec.opened()) == [Send(bytes.fromhex(AUTH))]
    assert hear(codec, AUTH_OK) == [Send(bytes.fromhex(MODE_FULL)), LoggedIn()]
    (sent,) = codec.update({KEY: QUOTE})
    assert isinstance(sent, Send)
    assert isinstance(sent.command, bytes)
    assert sent.command[2:].hex() == SUBSCRIBE[4:]
    # The length word that the SDK writes counts the access token and its own name, which are not in the frame.
    assert struct.unpack(">H", sent.command[:2]) == (18 + 17 + 24 + 15,)
    assert hear(codec, SUBSCRIBED) == [Confirmed((KEY,))]
    assert hear(codec, bytes.fromhex("000005010100014b"), bytes.fromhex("00000c010100014b")) == []
    assert list(codec.heartbeat()) == [Send(b"\x00\x01\x0b")]


def test_snapshot_update_and_lite() -> None:
    assert hear(wanting(), SNAPSHOT, UPDATE, LITE[:3] + struct.pack(">I", 7) + LITE[7:]) == [
        Patch(KEY, SNAPSHOT_FIELDS),  # type: ignore[arg-type]
        Patch(KEY, {"ltp": 606.5}),
        Send(bytes.fromhex(ACK_7)),
        Patch(KEY, {"ltp": 606.55}),
    ]


def test_damaged_frames_are_acknowledged_too() -> None:
    """The server counts what it sent: unacknowledged, it would fall silent."""
    codec = wanting()
    news = iter(codec.received(message(b"\x99" + bytes(20))))
    with pytest.raises(DecodeError):
        next(news)
    hear(codec, SNAPSHOT)
    assert [each for each in hear(codec, UPDATE) if isinstance(each, Send)] == [Send(bytes.fromhex(ACK_7[:-2] + "02"))]


def test_an_answered_ping_and_other_answers_are_no_damage() -> None:
    assert hear(wanting(), b"\x00\x01\x0b", bytes.fromhex("00000c00"), b"\x00\x01\x63") == []


def test_without_a_count_nothing_is_acknowledged() -> None:
    codec = made("ABCD", "")
    hear(codec, AUTH_OK[:-4] + bytes(4))
    list(codec.update({KEY: QUOTE}))
    assert all(isinstance(each, Patch) for each in hear(codec, *[SNAPSHOT] * 10))


def test_who_wants_the_last_price_hears_that_alone_until_wanting_more() -> None:
    codec = wanting(LTP)
    (brief,) = hear(codec, SNAPSHOT)
    assert brief == Patch(KEY, {name: SNAPSHOT_FIELDS[name] for name in ("ltp", "ltt", "timestamp")})  # type: ignore[arg-type]
    bid_only = struct.pack(">BHB7i", 0x55, 0, 7, *[-(2**31)] * 6, 60650)
    assert [each for each in hear(codec, message(bid_only)) if isinstance(each, Patch)] == []
    whole = [each for each in codec.update({KEY: QUOTE}) if isinstance(each, Patch)]
    assert len(whole) == 1
    assert (whole[0].fields["close"], whole[0].fields["bid_price"]) == (620.2, 606.5)
    assert [each for each in codec.update({KEY: LTP}) if isinstance(each, Patch)] == []


def book(number: int, values: list[int], *, snapshot: bool = True) -> bytes:
    if not snapshot:
        return struct.pack(f">BHB{len(values)}i", 0x55, number, len(values), *values)
    name = b"dp|nse_cm|3045"
    head = struct.pack(">BHB", 0x53, number, len(name)) + name + bytes((len(values),))
    return head + struct.pack(f">{len(values)}i", *values) + b"\x00\x00\x00\x01\x02\x03NSE\x043045\x07SBIN-EQ"


def message(*records: bytes) -> bytes:
    return struct.pack(">HBIH", 0, 6, 1, len(records)) + b"".join(records)


ROWS = [*range(60640, 60635, -1), *range(60645, 60650), *range(100, 110), *range(1, 11)]
SAME = [-(2**31)]


def test_books_come_as_differences_under_the_key_of_the_prices() -> None:
    codec = wanting(DEPTH)
    (first,) = hear(codec, message(book(9, ROWS)))
    assert isinstance(first, Patch)
    assert (first.key, first.fields) == (KEY, {})
    assert first.depth is not None
    assert first.depth.buy[0] == DepthLevel(606.4, 100, 1)
    assert first.depth.sell[4] == DepthLevel(606.49, 109, 10)
    (second,) = hear(codec, message(book(9, SAME * 10 + [0] + SAME * 19, snapshot=False)))
    assert isinstance(second, Patch)
    assert second.depth == Depth(first.depth.buy[1:], first.depth.sell)


@pytest.mark.parametrize("records", [(SNAPSHOT[9:], book(9, ROWS)), (book(9, ROWS), SNAPSHOT[9:])])
def test_prices_and_book_of_one_moment_are_one_piece_of_news(records: tuple[bytes, bytes]) -> None:
    codec = wanting(DEPTH)
    (both,) = [each for each in hear(codec, message(*records)) if isinstance(each, Patch)]
    assert both.fields["ltp"] == 606.4
    assert both.depth is not None
    assert len(both.depth.buy) == 5


def test_no_trade_of_a_frame_is_swallowed_by_a_later_one() -> None:
    codec = wanting(DEPTH)
    told = [each for each in hear(codec, message(SNAPSHOT[9:], book(9, ROWS), SNAPSHOT[9:])) if isinstance(each, Patch)]
    assert [(each.fields["ltp"], each.depth is not None) for each in told] == [(606.4, True), (606.4, False)]


def test_a_book_is_asked_for_beside_the_prices_and_left_with_the_want() -> None:
    codec = wanting()
    (more,) = codec.update({KEY: DEPTH})
    assert isinstance(more, Send)
    assert b"\x00\x01\x0edp|nse_cm|3045" in bytes(more.command)  # type: ignore[arg-type]
    assert more.keys == (KEY,)
    hear(codec, message(book(9, ROWS)))
    (less,) = codec.update({KEY: QUOTE})
    assert isinstance(less, Send)
    assert bytes(less.command)[2] == 5  # type: ignore[arg-type]
    assert hear(codec, message(book(9, ROWS, snapshot=False))) == []  # the server may still be at it
    indices: dict[Key, Level] = {"if|nse_cm|Nifty 50": DEPTH}
    (only,) = made("k", "").update(indices)
    assert isinstance(only, Send)
    assert b"\x00\x01\x12if|nse_cm|Nifty 50" in bytes(only.command)  # type: ignore[arg-type]


def test_a_book_that_came_late_is_not_told_to_who_wants_one_again() -> None:
    """It was on its way when its want ended, and nothing renewed it since."""
    codec = wanting(DEPTH)
    list(codec.update({KEY: QUOTE}))
    assert hear(codec, message(book(9, ROWS))) == []
    assert [each for each in codec.update({KEY: DEPTH}) if isinstance(each, Patch)] == []
    assert hear(codec, message(book(9, SAME * 10 + [7] + SAME * 19, snapshot=False))) == []
    assert isinstance(hear(codec, message(book(9, ROWS)))[-1], Patch)


def test_a_number_that_is_not_known_is_passed_over() -> None:
    codec = wanting()
    hear(codec, SNAPSHOT)
    stranger, lite = book(77, ROWS, snapshot=False), struct.pack(">BHi", 0x4C, 78, 5)
    news = hear(codec, message(stranger, lite, book(79, ROWS), UPDATE[9:]))
    assert [each for each in news if isinstance(each, Patch)] == [Patch(KEY, {"ltp": 606.5})]


def test_what_stands_before_a_damaged_record_is_told() -> None:
    codec = wanting()
    hear(codec, SNAPSHOT)
    news = iter(codec.received(message(UPDATE[9:], b"\x99" + bytes(20))))
    assert next(news) == Patch(KEY, {"ltp": 606.5})
    with pytest.raises(DecodeError):
        next(news)


def test_subscriptions_go_in_frames_of_a_limited_number_and_are_answered_in_their_order() -> None:
    codec = made("k", "")
    keys: list[Key] = [f"sf|nse_cm|{number:05d}" for number in range(DIALECT.topics_in_frame + 1)]
    sent = [each for each in codec.update(dict.fromkeys(keys, QUOTE)) if isinstance(each, Send)]
    assert [len(each.keys) for each in sent] == [DIALECT.topics_in_frame, 1]
    assert hear(codec, SUBSCRIBED) == [Confirmed(tuple(keys[:-1]))]
    assert hear(codec, NOT_SUBSCRIBED) == [Refusal(keys[-1], "Fyers refused the subscription.")]
    assert hear(codec, SUBSCRIBED) == []


def test_a_limit_is_told_with_what_the_socket_carries() -> None:
    codec = wanting()
    hear(codec, SUBSCRIBED)
    list(codec.update({KEY: QUOTE, "sf|nse_cm|1": QUOTE}))
    assert hear(codec, LIMIT_REACHED) == [
        Notice("error", "limit reached (51001)"),
        LimitChanged(1),
        Refusal("sf|nse_cm|1", "limit reached (51001)"),
    ]


def test_a_refused_key_ends_the_session() -> None:
    (told,) = hear(made("k", ""), bytes.fromhex("0000010101000145"))
    assert isinstance(told, AuthExpired)


def token(**claims: object) -> str:
    return f"e30.{urlsafe_b64encode(msgspec.json.encode(claims)).decode().rstrip('=')}.sig"


def session(access_token: str) -> Session:
    return Session(
        account="a1", broker="fyers", generation=1, secrets={"api_key": "X-100", "access_token": access_token}
    )


def test_the_key_of_the_socket_comes_from_the_token() -> None:
    now = Ctx(1_000_000, bytes)
    endpoint = result(SPEC, HSM.open(session(token(hsm_key="ABCD", exp=1001)), now))
    assert (endpoint.url, endpoint.facts) == ("wss://socket.fyers.in/hsm/v1-5/prod", {"hsm_key": "ABCD"})
    assert not endpoint.dead_credential, "it goes out only after the upgrade"
    codec = HSM.codec(session(token()), endpoint, now)
    assert list(codec.opened()) == [Send(bytes.fromhex(AUTH))]
    for ended in (
        token(hsm_key="ABCD", exp=1000),
        token(exp=2000),
        "pasted",
        "a.b.c",
        "e30.bnVsbA.s",
        "\x80.\x80.\x80",
    ):
        with pytest.raises(SessionExpired):
            result(SPEC, HSM.open(session(ended), now))


def test_keys_and_costs() -> None:
    share = Instrument(
        symbol="SBIN", exchange=Exchange.NSE, brsymbol="NSE:SBIN-EQ", brexchange="nse_cm", token="10100000003045"
    )
    index = Instrument(
        symbol="NIFTY", exchange=Exchange.NSE_INDEX, brsymbol="NSE:NIFTY50-INDEX", brexchange="nse_cm",
        token="101000000026000", name="Nifty 50", instrument_type=InstrumentType.INDEX,
    )  # fmt: skip
    assert (HSM.key(share), HSM.key(index)) == (KEY, "if|nse_cm|Nifty 50")
    assert [HSM.cost(one, level) for one in (share, index) for level in (QUOTE, DEPTH)] == [1, 2, 1, 1]


FRAMES = st.sampled_from([AUTH_OK, SUBSCRIBED, SNAPSHOT, UPDATE, LITE, LIMIT_REACHED, message(book(9, ROWS))])


@given(FRAMES, st.data())
def test_damaged_frames_cost_themselves(frame: bytes, data: st.DataObject) -> None:
    codec = wanting(DEPTH)
    damaged = bytearray(frame[: data.draw(st.integers(0, len(frame)))] + data.draw(st.binary(max_size=8)))
    for place in data.draw(st.lists(st.integers(0, max(len(damaged) - 1, 0)), max_size=4)):
        if damaged:
            damaged[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DecodeError):
        hear(codec, bytes(damaged))
    with contextlib.suppress(DecodeError):
        list(codec.received("text"))
    last = [each for each in hear(codec, SNAPSHOT) if isinstance(each, Patch)][-1]
    assert last.fields == SNAPSHOT_FIELDS


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_damaged(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        hear(wanting(), data)
