"""Noren's socket: snapshots, changes that are added to them, damaged frames, subscriptions, the login, order news."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.noren_frames import INDEX, RELIANCE_BOOK, RELIANCE_CHANGE, TOUCH, TOUCH_CHANGE

from sangam.brokers.contract import AuthExpired, Confirmed, Ctx, LoggedIn, Notice, Result, Send, Session
from sangam.brokers.families.noren.stream import FeedCodec
from sangam.brokers.families.noren.tables import SUBSCRIBE_BATCH
from sangam.brokers.shoonya import SPEC
from sangam.model.clock import IST
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch
from sangam.model.order import OrderUpdate

SESSION = Session(
    account="a1",
    broker="shoonya",
    generation=1,
    client_id="FA1",
    secrets={"user_id": "FA1", "access_token": "ea97"},
)
(FEED,) = SPEC.streams
NTPC, NIFTY, RELIANCE = "NSE|11630", "NSE|26000", "NSE|2885"


def codec_of(*keys: Key, mode: Mode = Mode.QUOTE) -> FeedCodec:
    with pytest.raises(StopIteration) as stop:
        next(FEED.open(SESSION, Ctx(0, bytes)))
    codec = FEED.codec(SESSION, stop.value.value, Ctx(0, bytes))
    assert isinstance(codec, FeedCodec)
    list(codec.update(dict.fromkeys(keys, Level(mode))))
    return codec


def told(codec: FeedCodec, *frames: dict[str, Any]) -> Patch:
    """The patch of the last of some frames."""
    results: list[Result] = []
    for frame in frames:
        results = list(codec.received(json.dumps(frame)))
    (patch,) = (result for result in results if isinstance(result, Patch))
    return patch


def sent(results: Iterable[Result]) -> list[dict[str, Any]]:
    return [json.loads(str(result.command)) for result in results if isinstance(result, Send)]


# --- what is told -----------------------------------------------------------------------------------------------------


def test_a_snapshot_confirms_and_tells_everything() -> None:
    codec = codec_of(NTPC)
    confirmed, patch = codec.received(json.dumps(TOUCH))
    assert confirmed == Confirmed((NTPC,))
    fields: Fields = {"ltp": 118.55, "high": 118.65, "low": 118.10, "avg_trade_price": 118.39, "volume": 162_220}
    assert patch == Patch(NTPC, fields, None, True)


def test_what_a_change_leaves_out_stays_as_it_was() -> None:
    fields: Fields = {"ltp": 118.45, "high": 118.65, "low": 118.10, "avg_trade_price": 118.40, "volume": 166_637}
    assert told(codec_of(NTPC), TOUCH, TOUCH_CHANGE) == Patch(NTPC, fields, None, True)


def test_a_change_before_its_snapshot_is_no_whole() -> None:
    patch = told(codec_of(NTPC), TOUCH_CHANGE)
    assert (patch.full, patch.fields["ltp"]) == (False, 118.45)


def test_the_time_of_the_feed_is_told_with_the_frame_that_has_it() -> None:
    codec = codec_of(NIFTY)
    patch = told(codec, INDEX)
    assert patch.fields["timestamp"] == 1_750_652_109_000
    assert (patch.fields["open"], patch.fields["close"]) == (24_939.75, 25_112.40)
    assert not {"volume", "oi", "avg_trade_price"} & patch.fields.keys()
    later = {"t": "tf", "e": "NSE", "tk": "26000", "lp": "24870.00"}
    assert "timestamp" not in told(codec, later).fields


def test_a_book_is_kept_row_by_row() -> None:
    codec = codec_of(RELIANCE, mode=Mode.DEPTH)
    patch = told(codec, RELIANCE_BOOK)
    assert patch.depth == Depth(
        [DepthLevel(1156.0 - n, 10 + n, 1 + n) for n in range(5)], [DepthLevel(1156.5 + n, 20 + n, 1) for n in range(5)]
    )
    before, changed = patch.depth, told(codec, RELIANCE_CHANGE).depth
    assert changed is not None
    assert (changed.buy[0], changed.sell[0].price) == (DepthLevel(1156.0, 7, 1), 1156.55)
    assert (changed.buy[1:], changed.sell[1:]) == (before.buy[1:], before.sell[1:])
    assert before.buy[0] == DepthLevel(1156.0, 10, 1), "what was handed over stays as it is"


def test_an_emptied_row_is_gone_and_so_is_an_order_without_a_price() -> None:
    codec = codec_of(RELIANCE, mode=Mode.DEPTH)
    told(codec, RELIANCE_BOOK)
    emptied = {"t": "df", "e": "NSE", "tk": "2885", "bp5": "0.00", "bq5": "0", "bo5": "0", "sp1": "42949672.95"}
    depth = told(codec, emptied).depth
    assert depth is not None
    assert (len(depth.buy), len(depth.sell), depth.sell[0].price) == (4, 4, 1157.5)


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("09:30:05", datetime(2025, 6, 23, 9, 30, 5, tzinfo=IST)),
        ("15:29:59", datetime(2025, 6, 22, 15, 29, 59, tzinfo=IST)),
        ("05:30:00", None),
    ],
)
def test_the_last_trade_is_of_today_unless_that_is_still_to_come(clock: str, expected: datetime | None) -> None:
    frame = {**RELIANCE_BOOK, "ft": str(int(datetime(2025, 6, 23, 9, 45, tzinfo=IST).timestamp())), "ltt": clock}
    fields = told(codec_of(RELIANCE, mode=Mode.DEPTH), frame).fields
    assert fields.get("ltt") == (None if expected is None else int(expected.timestamp() * 1000))


def test_a_new_snapshot_forgets_what_was() -> None:
    codec = codec_of(NTPC)
    told(codec, TOUCH)
    assert told(codec, {"t": "tk", "e": "NSE", "tk": "11630", "lp": "1"}).fields == {"ltp": 1.0}


@pytest.mark.parametrize(
    "damage",
    [
        {"lp": "nan"},
        {"lp": "inf"},
        {"lp": "1e300"},
        {"lp": None},
        {"lp": ["1"]},
        {"v": "1.5"},
        {"v": "9" * 400},
        {"ft": "now"},
        {"ltt": "25:00:00", "ft": "1750652109"},
        {"ltt": 7, "ft": "1750652109"},
        {"bq1": "many"},
    ],
)
def test_a_damaged_number_costs_its_frame_and_nothing_of_what_is_known(damage: dict[str, Any]) -> None:
    codec = codec_of(NTPC)
    known = told(codec, TOUCH)
    with pytest.raises(DecodeError):
        list(codec.received(json.dumps({"t": "tf", "e": "NSE", "tk": "11630", "h": "999", **damage})))
    assert told(codec, {"t": "tf", "e": "NSE", "tk": "11630"}) == known


@given(st.text(max_size=200))
def test_texts_of_any_kind_are_news_or_damage(text: str) -> None:
    try:
        list(codec_of(NTPC).received(text))
    except DecodeError:
        return


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(["tk", "tf", "dk", "df", "om", "ak", "rm", "hk", "?"]),
    st.dictionaries(st.sampled_from(["e", "tk", "lp", "v", "ft", "ltt", "bp1", "sq3", "norenordno", "s"]), JSON),
)
def test_frames_of_any_kind_are_news_or_damage(kind: str, frame: dict[str, Any]) -> None:
    try:
        results = list(codec_of(NTPC).received(json.dumps({"t": kind, "e": "NSE", "tk": "11630", **frame})))
    except DecodeError:
        return
    assert all(
        isinstance(each, Patch | Confirmed | OrderUpdate | Notice | AuthExpired | LoggedIn | Send) for each in results
    )


@given(st.sampled_from([TOUCH, RELIANCE_BOOK]), st.integers(0, 2000), st.characters(), st.integers(0, 2000))
def test_cut_and_flipped_frames_are_frames_or_damage(frame: dict[str, Any], at: int, letter: str, cut: int) -> None:
    text = json.dumps(frame)
    at %= len(text)
    for damaged in (text[: cut % len(text)], text[:at] + letter + text[at + 1 :]):
        try:
            list(codec_of(NTPC, RELIANCE).received(damaged))
        except DecodeError:
            continue


def test_bytes_are_damage() -> None:
    with pytest.raises(DecodeError):
        list(codec_of(NTPC).received(b"{}"))


# --- subscriptions ----------------------------------------------------------------------------------------------------


def test_levels_are_tasks_and_another_task_leaves_the_former_first() -> None:
    codec = codec_of()
    assert sent(codec.update({NTPC: Level(Mode.LTP), RELIANCE: Level(Mode.DEPTH)})) == [
        {"t": "d", "k": RELIANCE},
        {"t": "t", "k": NTPC},
    ]
    told(codec, TOUCH)
    assert sent(codec.update({NTPC: Level(Mode.DEPTH), RELIANCE: Level(Mode.DEPTH)})) == [
        {"t": "u", "k": NTPC},
        {"t": "d", "k": NTPC},
    ]
    assert list(codec.received(json.dumps(TOUCH_CHANGE))) == [], "late news of what was left"
    assert sent(codec.update({})) == [{"t": "ud", "k": f"{NTPC}#{RELIANCE}"}]


def test_more_of_the_same_task_is_told_from_what_is_known() -> None:
    codec = codec_of(NTPC, mode=Mode.LTP)
    told(codec, TOUCH)
    (patch,) = codec.update({NTPC: Level(Mode.QUOTE)})
    assert isinstance(patch, Patch)
    assert (patch.fields["high"], patch.full, "timestamp" in patch.fields) == (118.65, True, False)
    told(codec, {**TOUCH, "ft": "1750652109"})
    (patch,) = codec.update({NTPC: Level(Mode.LTP)})
    assert isinstance(patch, Patch)
    assert patch.fields["timestamp"] == 1_750_652_109_000, "what is told again is as old as it is"


def test_many_scrips_go_in_several_messages() -> None:
    keys = [f"NSE|{number}" for number in range(2 * SUBSCRIBE_BATCH + 1)]
    results = list(codec_of().update(dict.fromkeys(keys, Level(Mode.LTP))))
    assert [message["k"].count("#") + 1 for message in sent(results)] == [SUBSCRIBE_BATCH, SUBSCRIBE_BATCH, 1]
    assert [key for result in results if isinstance(result, Send) for key in result.keys] == keys


def test_a_key_has_the_exchange_since_tokens_repeat() -> None:
    share = Instrument(symbol="ACC", exchange=Exchange.NSE, brsymbol="ACC-EQ", brexchange="NSE", token="22")
    assert FEED.key(share) == "NSE|22"


# --- login, heartbeat and orders --------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["OK", "Ok"])
@pytest.mark.parametrize("answer", ["ak", "ck"])
def test_the_first_frame_logs_in_and_orders_are_asked_for_then(word: str, answer: str) -> None:
    codec = codec_of()
    assert sent(codec.opened()) == [{"t": "a", "uid": "FA1", "actid": "FA1", "accesstoken": "ea97", "source": "API"}]
    welcome, ask = codec.received(json.dumps({"t": answer, "uid": "FA1", "s": word}))
    assert welcome == LoggedIn()
    assert sent([ask]) == [{"t": "o", "actid": "FA1"}]


def test_a_refused_login_is_a_dead_session() -> None:
    (event,) = codec_of().received(json.dumps({"t": "ak", "s": "Not_Ok"}))
    assert isinstance(event, AuthExpired)


def test_the_heartbeat_is_a_frame_and_its_answer_is_no_news() -> None:
    codec = codec_of()
    assert sent(codec.heartbeat()) == [{"t": "h"}]
    for quiet in ("hk", "ok", "uk", "ms", "am", "pm"):
        assert list(codec.received(json.dumps({"t": quiet}))) == []


PUSH = {
    "t": "om", "tsym": "VIKASLIFE-EQ", "rejreason": " ", "prcftr": "1.000000", "pcode": "C", "trantype": "B",
    "token": "9931", "prctyp": "MKT", "ret": "DAY", "remarks": "", "ntm": "960322165", "dscqty": "0",
    "norenordno": "25042400010260", "uid": "U", "exch": "NSE", "status": "ORDER ACK", "reporttype": "NewAck",
    "tm": "1745483337", "qty": "1", "prc": "0.00",
}  # fmt: skip
"""noren.md, 8: a real push."""


def test_a_push_is_an_order_update() -> None:
    (news,) = codec_of().received(json.dumps(PUSH))
    assert news == OrderUpdate(
        order_id="25042400010260",
        brsymbol="VIKASLIFE-EQ",
        brexchange="NSE",
        token="9931",
        action="BUY",
        quantity=1,
        pending_quantity=1,
        status="open",
        product="CNC",
        price_type="MARKET",
        timestamp=1_745_483_337_000,
    )


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"status": "COMPLETE", "fillshares": "1"}, "complete"),
        ({"status": "REJECT"}, "rejected"),
        ({"status": "REJECTED"}, "rejected"),
        ({"status": "CANCELED"}, "cancelled"),
        ({"status": "New"}, "open"),
        ({"status": "PENDING", "prctyp": "SL-LMT"}, "trigger pending"),
        ({"status": "TRIGGER_PENDING", "prctyp": "SL-LMT"}, "trigger pending"),
        ({"status": "Open", "prctyp": "SLLMT"}, "open"),
        ({"status": "REJECTED", "reporttype": "ReplaceRejected"}, "open"),
        ({"status": "REJECTED", "reporttype": "CancelRejected", "prctyp": "SL-LMT"}, "trigger pending"),
        ({"status": "COMPLETE", "reporttype": "CancelRejected", "fillshares": "1"}, "complete"),
    ],
)
def test_what_becomes_of_an_order_is_told_in_our_words(told: dict[str, str], status: str) -> None:
    """A change that was refused leaves its order alive, whatever word stands beside it."""
    (news,) = codec_of().received(json.dumps(PUSH | told))
    assert isinstance(news, OrderUpdate)
    assert news.status == status
