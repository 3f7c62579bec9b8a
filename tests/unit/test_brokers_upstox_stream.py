"""The market feed: the sheet's bytes, what absent means, damaged frames, requests, one-time addresses."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.canned import Canned, drive

from sangam.brokers.contract import Confirmed, Ctx, Notice, Result, Send, Session
from sangam.brokers.upstox import SPEC
from sangam.brokers.upstox.packets import OF_LTPC, patches
from sangam.brokers.upstox.stream import FeedCodec
from sangam.brokers.upstox.tables import SUBSCRIBE_BATCH
from sangam.brokers.wire import NatsMessage
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError, SessionExpired, Unknown
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Key, Patch
from sangam.prices.last import Last
from sangam.simulators.proto import chunk, double, integer
from sangam.simulators.upstox_wire import INITIAL, LIVE, response

# built with the SDK's own descriptor from values of the documentation
LTPC = bytes.fromhex(
    "0801122d0a0c4e53455f464f7c3435343530121d0a1b099a99999999696b4010d39ec4dcd432184b21cdcccccccce07e4018d786c5dcd432"
)
INFO = bytes.fromhex("08021895b3c18bb732220c0a0a0a064e53455f45511002")
KEY = "NSE_EQ|INE848E01016"
NOW = 1_740_729_566_039
CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="upstox", generation=1, secrets={"access_token": "t"})
FEED, NEWS = SPEC.streams

LAST = double(1, 1313.7) + integer(2, 1742373998758) + integer(3, 234) + double(4, 1309.85)
BARS = b"".join(
    chunk(1, chunk(1, name) + double(2, open_) + double(3, 1316.2) + double(4, 1302.15) + double(5, 1313.7))
    for name, open_ in ((b"I1", 1313.0), (b"1d", 1305.6))
)
REST = double(5, 1310.68) + integer(6, 7790518) + double(9, 359157.0) + double(10, 421241.0)


def quote(bid: float, bid_quantity: int, ask: float, ask_quantity: int) -> bytes:
    return integer(1, bid_quantity) + double(2, bid) + integer(3, ask_quantity) + double(4, ask)


def book(*rows: bytes) -> bytes:
    return chunk(2, b"".join(chunk(1, row) for row in rows))


def market(content: bytes, kind: int = LIVE) -> Patch:
    (patch,) = patches(response(kind, [(KEY, chunk(2, chunk(1, content)))], NOW))
    return patch


# --- messages ---------------------------------------------------------------------------------------------------------


def test_last_price_and_previous_close() -> None:
    assert patches(LTPC) == [
        Patch(
            "NSE_FO|45450",
            {
                "ltp": 219.3,
                "ltt": 1740729552723,
                "last_trade_quantity": 75,
                "close": 494.05,
                "timestamp": NOW,
            },
        )
    ]


def test_a_message_about_segments_tells_of_no_instrument() -> None:
    assert patches(INFO) == []
    assert list(FeedCodec("g").received(INFO)) == []


def test_the_full_mode_of_a_share() -> None:
    levels = book(quote(1313.65, 10, 1313.7, 7), quote(1313.6, 25, 0.0, 0))
    patch = market(chunk(1, LAST) + levels + chunk(4, BARS) + REST)
    assert patch.fields == {
        "ltp": 1313.7,
        "ltt": 1742373998758,
        "last_trade_quantity": 234,
        "close": 1309.85,
        "open": 1305.6,
        "high": 1316.2,
        "low": 1302.15,
        "avg_trade_price": 1310.68,
        "volume": 7790518,
        "total_buy_quantity": 359157,
        "total_sell_quantity": 421241,
        "timestamp": NOW,
    }
    assert patch.depth == Depth([DepthLevel(1313.65, 10), DepthLevel(1313.6, 25)], [DepthLevel(1313.7, 7)])
    assert not patch.full


def test_an_index_has_no_book_and_says_so() -> None:
    content = chunk(1, double(1, 21226.95) + double(4, 21298.7)) + chunk(2, BARS)
    (patch,) = patches(response(LIVE, [("NSE_INDEX|Nifty 50", chunk(2, chunk(2, content)))], NOW))
    assert (patch.fields["ltp"], patch.fields["close"], patch.fields["open"]) == (21226.95, 21298.7, 1305.6)
    assert patch.depth == Depth([], [])
    assert "volume" not in patch.fields


# --- what is not there ------------------------------------------------------------------------------------------------


def test_a_live_message_without_a_part_tells_nothing_of_it() -> None:
    """Volume, totals and open interest of zero cannot be told from untold ones, and are untold."""
    patch = market(chunk(1, double(1, 100.0)))
    assert patch.fields == {"ltp": 100.0, "timestamp": NOW}
    assert patch.depth is None
    empty = market(b"")
    assert (empty.fields, empty.depth) == ({"timestamp": NOW}, None)


def test_parts_are_merged_into_what_is_known() -> None:
    last = Last()
    last.merge(market(chunk(1, LAST) + book(quote(99.0, 5, 101.0, 6)) + chunk(4, BARS) + REST), NOW)
    last.merge(market(integer(6, 7790600)), NOW)
    assert (last.fields["ltp"], last.fields["volume"], last.fields["bid_price"]) == (1313.7, 7790600, 99.0)
    last.merge(market(book(quote(0.0, 0, 101.0, 6)) + double(10, 421241.0)), NOW)
    assert (last.fields["bid_price"], last.fields["bid_size"], last.fields["ask_price"]) == (0.0, 0, 101.0)
    assert (last.fields["total_buy_quantity"], last.fields["total_sell_quantity"]) == (0, 421241)


def test_a_snapshot_tells_everything_zeros_too() -> None:
    patch = market(chunk(1, LAST) + book(), INITIAL)
    assert patch.full
    assert patch.depth == Depth([], [])
    zeros = {name: patch.fields.get(name) for name in ("volume", "oi", "total_buy_quantity", "total_sell_quantity")}
    assert zeros == {"volume": 0, "oi": 0, "total_buy_quantity": 0, "total_sell_quantity": 0}
    assert "ltp" not in market(b"", INITIAL).fields


def test_a_snapshot_without_a_book_has_none_rather_than_an_empty_one() -> None:
    assert market(chunk(1, LAST), INITIAL).depth is None


@pytest.mark.parametrize("price", [float("nan"), float("inf"), -1.0, 1e300])
def test_what_is_no_price_is_not_told(price: float) -> None:
    content = chunk(1, double(1, price)) + double(5, price) + double(7, price) + double(9, price)
    patch = market(content + book(quote(price, 5, 101.0, 6)))
    assert patch.fields.keys() == {"timestamp"}
    assert patch.depth == Depth([], [DepthLevel(101.0, 6)])


def test_negative_quantities_are_not_told() -> None:
    patch = market(chunk(1, integer(3, -5 & (1 << 64) - 1)) + book(quote(99.0, -5 & (1 << 64) - 1, 101.0, 6)))
    assert "last_trade_quantity" not in patch.fields
    assert patch.depth == Depth([], [DepthLevel(101.0, 6)])


# --- damage -----------------------------------------------------------------------------------------------------------

WHOLE = response(
    LIVE,
    [(KEY, chunk(2, chunk(1, chunk(1, LAST) + book(quote(99.0, 5, 101.0, 6)) + chunk(4, BARS) + REST)))] * 2,
    NOW,
)


def damaged(frame: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert all(isinstance(patch, Patch) for patch in patches(frame))


@given(st.integers(0, len(WHOLE)))
def test_a_truncated_message(end: int) -> None:
    damaged(WHOLE[:end])


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_flipped_message(at: int, mask: int) -> None:
    damaged(WHOLE[:at] + bytes([WHOLE[at] ^ mask]) + WHOLE[at + 1 :])


@given(st.binary(max_size=60))
def test_an_extended_message_and_any_bytes(more: bytes) -> None:
    damaged(WHOLE + more)
    damaged(more)


def test_a_torn_message_is_told_as_damaged() -> None:
    with pytest.raises(DecodeError):
        patches(WHOLE[:-3])


def test_what_is_no_message_of_this_wire() -> None:
    with pytest.raises(DecodeError):
        FeedCodec("g").received(NatsMessage("a", b""))


def test_a_text_of_the_broker_is_logged() -> None:
    (notice,) = FeedCodec("g").received('{"status":"failed","error":"no"}')
    assert isinstance(notice, Notice)
    assert notice.level == "error"


# --- requests ---------------------------------------------------------------------------------------------------------


def asked(results: list[Result]) -> list[tuple[str, str, list[str]]]:
    found = []
    for send in results:
        if isinstance(send, Send):
            assert isinstance(send.command, bytes)  # the broker reads binary frames only
            told: dict[str, Any] = json.loads(send.command)
            assert told["guid"] == "g"
            found.append((told["method"], told["data"].get("mode", ""), told["data"]["instrumentKeys"]))
    return found


def test_subscriptions_by_mode() -> None:
    codec = FeedCodec("g")
    wanted: dict[Key, Level] = {
        "a": Level(Mode.LTP),
        "b": Level(Mode.QUOTE),
        "c": Level(Mode.DEPTH, 5),
        "d": Level(Mode.DEPTH, 30),
    }
    results = list(codec.update(wanted))
    assert asked(results) == [("sub", "ltpc", ["a"]), ("sub", "full", ["b", "c"]), ("sub", "full_d30", ["d"])]
    assert [key for result in results if isinstance(result, Confirmed) for key in result.keys] == ["a", "b", "c", "d"]
    assert list(codec.update(wanted)) == []
    changed: dict[Key, Level] = {"a": Level(Mode.DEPTH, 5), "b": Level(Mode.LTP), "c": Level(Mode.DEPTH, 5)}
    assert asked(list(codec.update(changed))) == [
        ("unsub", "", ["d"]),
        ("change_mode", "ltpc", ["b"]),
        ("change_mode", "full", ["a"]),
    ]


def test_what_comes_late_of_a_fuller_mode_sets_nothing_that_is_not_renewed() -> None:
    codec = FeedCodec("g")
    list(codec.update({KEY: Level(Mode.DEPTH, 5)}))
    (patch,) = codec.received(WHOLE)
    assert isinstance(patch, Patch)
    assert patch.depth is not None
    list(codec.update({KEY: Level(Mode.LTP)}))
    (late,) = codec.received(WHOLE)
    assert isinstance(late, Patch)
    assert late.depth is None
    assert late.fields == {name: value for name, value in patch.fields.items() if name in OF_LTPC}
    assert "ltp" in late.fields


def test_long_lists_go_in_batches() -> None:
    wanted: dict[Key, Level] = {f"k{number}": Level(Mode.LTP) for number in range(SUBSCRIBE_BATCH + 1)}
    assert [len(keys) for _, _, keys in asked(list(FeedCodec("g").update(wanted)))] == [SUBSCRIBE_BATCH, 1]


def test_thirty_levels_that_never_come_are_asked_for_as_five() -> None:
    codec = FeedCodec("g")
    list(codec.update({KEY: Level(Mode.DEPTH, 30), "other": Level(Mode.DEPTH, 30), "gone": Level(Mode.DEPTH, 30)}))
    list(codec.received(WHOLE))
    assert list(codec.heartbeat()) == []
    list(codec.update({KEY: Level(Mode.DEPTH, 30), "other": Level(Mode.DEPTH, 30)}))
    notice, send = codec.heartbeat()
    assert isinstance(notice, Notice)
    assert asked([send]) == [("change_mode", "full", ["other"])]
    assert list(codec.heartbeat()) == []


def test_fifty_books_of_thirty_levels_fill_a_socket() -> None:
    share = Instrument(symbol="A", exchange=Exchange.NSE, brsymbol="A", brexchange="NSE_EQ", token=KEY)
    assert FEED.key(share) == KEY
    costs = [FEED.cost(share, level) for level in (Level(Mode.LTP), Level(Mode.DEPTH, 5), Level(Mode.DEPTH, 30))]
    assert costs == [1, 1, FEED.limits.symbols_per_socket // 50]


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["authorized_redirect_uri", "authorizedRedirectUri"])
def test_each_connection_asks_for_an_address(name: str) -> None:
    url = "wss://wsfeeder-api.upstox.com/market-data-feeder/v3/upstox-developer-api/feeds?code=x"
    told = {"status": "success", "data": {name: url}}
    endpoint, (request,) = drive(SPEC, FEED.open(SESSION, CTX), told)
    assert request.path == "/v3/feed/market-data-feed/authorize"
    assert (endpoint.url, endpoint.dead_credential) == (url, frozenset())
    endpoint, (request,) = drive(SPEC, NEWS.open(SESSION, CTX), told)
    assert request.path == "/v2/feed/portfolio-stream-feed/authorize"
    assert request.query == {"update_types": "order,gtt_order,position"}


@pytest.mark.parametrize("data", [None, {}, {"authorized_redirect_uri": ""}, {"authorized_redirect_uri": "http://x"}])
def test_an_answer_without_an_address_is_unknown(data: Any) -> None:
    with pytest.raises(Unknown):
        drive(SPEC, FEED.open(SESSION, CTX), {"status": "success", "data": data})


def test_the_call_for_an_address_tells_of_a_dead_session() -> None:
    dead = {"status": "error", "errors": [{"error_code": "UDAPI100050", "message": "Invalid token"}]}
    with pytest.raises(SessionExpired):
        drive(SPEC, FEED.open(SESSION, CTX), Canned(dead, 401))
