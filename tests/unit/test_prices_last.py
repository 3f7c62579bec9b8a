"""The merged state of one instrument: what is known, and what must never look like zero."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.model.enums import Mode
from sangam.model.market import Depth, DepthLevel, Fields, Patch
from sangam.prices.last import Last

BOOK = Depth([DepthLevel(99.95, 10, 2), DepthLevel(99.9, 20, 1)], [DepthLevel(100.05, 30, 3)])
OHLC: Fields = {"open": 99.0, "high": 101.0, "low": 98.0, "close": 97.0}


def patch(depth: Depth | None = None, full: bool = False, **fields: Any) -> Patch:
    return Patch("K", fields, depth, full)  # type: ignore[arg-type]


def test_nothing_is_known_at_first() -> None:
    last = Last()
    assert (last.fields, last.depth, last.received_at) == ({}, None, None)
    assert last.age_ms(5) is None
    assert not any(last.tells(mode) for mode in Mode)


def test_a_partial_frame_adds_to_what_is_known() -> None:
    last = Last()
    last.merge(patch(ltp=100.0, volume=5, timestamp=1), 11)
    last.merge(patch(ltp=101.0, timestamp=2), 12)
    assert last.fields == {"ltp": 101.0, "volume": 5, "timestamp": 2}
    last.merge(patch(BOOK, timestamp=3), 13)
    last.merge(patch(ltp=102.0, timestamp=4), 14)
    assert last.depth == BOOK
    assert last.received_at == 14


def test_a_full_frame_replaces_what_is_known() -> None:
    last = Last()
    last.merge(patch(BOOK, True, ltp=100.0, oi=7, timestamp=1), 11)
    last.merge(patch(None, True, ltp=101.0, timestamp=2), 12)
    assert last.fields == {"ltp": 101.0, "timestamp": 2}
    assert last.depth is None


def test_a_full_frame_of_one_of_two_streams_only_adds() -> None:
    last = Last(whole=False)
    last.merge(patch(None, True, ltp=100.0, volume=5, timestamp=1), 11)
    last.merge(patch(BOOK, True, timestamp=2), 12)
    last.merge(patch(None, True, ltp=101.0, volume=6, timestamp=3), 13)
    assert last.depth == BOOK
    assert last.fields["volume"] == 6
    assert last.fields["bid_price"] == 99.95


def test_without_exchange_time_the_receive_time_stands_and_no_ltt() -> None:
    last = Last()
    last.merge(patch(ltp=1.0), 1234)
    assert last.fields == {"ltp": 1.0, "timestamp": 1234}


def test_the_best_prices_come_from_the_book() -> None:
    last = Last()
    last.merge(patch(BOOK, ltp=100.0), 1)
    assert {name: last.fields[name] for name in ("bid_price", "bid_size", "ask_price", "ask_size")} == {
        "bid_price": 99.95,
        "bid_size": 10,
        "ask_price": 100.05,
        "ask_size": 30,
    }


def test_a_side_that_emptied_is_zero_because_it_is_known_to_be_empty() -> None:
    last = Last()
    last.merge(patch(BOOK, ltp=100.0), 1)
    last.merge(patch(Depth([], [DepthLevel(100.05, 1)])), 2)
    assert (last.fields["bid_price"], last.fields["bid_size"]) == (0.0, 0)
    assert (last.fields["ask_price"], last.fields["ask_size"]) == (100.05, 1)
    last.merge(patch(Depth([DepthLevel(99.0, 4)], [])), 3)
    assert (last.fields["bid_price"], last.fields["ask_price"], last.fields["ask_size"]) == (99.0, 0.0, 0)


def test_without_a_book_the_best_prices_are_unknown() -> None:
    last = Last()
    last.merge(patch(ltp=100.0, **OHLC), 1)
    assert "bid_price" not in last.fields
    assert "ask_price" not in last.fields


@pytest.mark.parametrize(
    ("fields", "depth", "modes"),
    [
        ({}, BOOK, set()),
        ({"volume": 5}, None, set()),
        ({"ltp": 1.0}, None, {Mode.LTP}),
        ({"ltp": 0.0}, BOOK, {Mode.LTP}),
        ({**OHLC}, BOOK, set()),
        ({"ltp": 1.0, "open": 1.0, "high": 1.0, "low": 1.0}, None, {Mode.LTP}),
        ({"ltp": 1.0, **OHLC}, None, {Mode.LTP, Mode.QUOTE}),
        ({"ltp": 1.0, **OHLC}, BOOK, {Mode.LTP, Mode.QUOTE, Mode.DEPTH}),
        ({"ltp": 1.0, **OHLC}, Depth([], []), {Mode.LTP, Mode.QUOTE, Mode.DEPTH}),
    ],
)
def test_tells_a_mode_when_nothing_of_it_could_be_mistaken_for_zero(
    fields: dict[str, Any], depth: Depth | None, modes: set[Mode]
) -> None:
    last = Last()
    last.merge(patch(depth, **fields), 1)
    assert {mode for mode in Mode if last.tells(mode)} == modes


def test_narrowing_forgets_what_is_no_longer_refreshed() -> None:
    last = Last()
    last.merge(patch(BOOK, ltp=100.0, ltt=7, timestamp=8, oi=3, **OHLC), 9)
    last.narrow(Mode.DEPTH)
    assert last.tells(Mode.DEPTH)
    last.narrow(Mode.QUOTE)
    assert last.depth is None
    assert last.tells(Mode.QUOTE)
    last.narrow(Mode.LTP)
    assert last.fields == {"ltp": 100.0, "ltt": 7, "timestamp": 8}
    assert not last.tells(Mode.QUOTE)


def test_narrowing_leaves_no_best_prices_of_a_book_that_is_gone() -> None:
    last = Last()
    last.merge(patch(BOOK, ltp=100.0, **OHLC), 9)
    last.narrow(Mode.QUOTE)
    assert "bid_price" not in last.fields
    assert "ask_size" not in last.fields


def test_narrowing_what_never_traded_leaves_no_half_truth() -> None:
    last = Last()
    last.merge(patch(BOOK, **OHLC), 9)
    last.narrow(Mode.LTP)
    assert "ltp" not in last.fields
    last.merge(patch(ltp=5.0, timestamp=10), 11)
    assert last.fields == {"ltp": 5.0, "timestamp": 10}


def test_clear_forgets_everything() -> None:
    last = Last(whole=False)
    last.merge(patch(BOOK, ltp=100.0), 9)
    last.clear()
    assert (last.fields, last.depth, last.received_at, last.whole) == ({}, None, None, False)


def test_an_index_has_no_book_to_wait_for() -> None:
    share, index = Last(), Last(bookless=True)
    for last in (share, index):
        last.merge(patch(ltp=1.0), 1000)
        assert not last.tells(Mode.DEPTH)
        last.merge(patch(open=1.0, high=1.0, low=1.0, close=1.0), 1000)
        assert last.tells(Mode.QUOTE)
    assert index.tells(Mode.DEPTH)
    assert not share.tells(Mode.DEPTH)


def test_age_is_never_negative() -> None:
    last = Last()
    last.merge(patch(ltp=1.0), 1000)
    assert last.age_ms(1500) == 500
    assert last.age_ms(900) == 0


NAMES = ("ltp", "open", "high", "low", "close", "volume", "oi", "ltt", "timestamp")


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(NAMES), st.integers(1, 9)), st.sampled_from([None, BOOK]), st.booleans()
        )
    )
)
def test_only_what_was_told_is_ever_known(frames: list[tuple[dict[str, Any], Depth | None, bool]]) -> None:
    last, told = Last(), dict[str, Any]()
    for now, (fields, depth, full) in enumerate(frames, 100):
        if full:
            told.clear()
        told |= {"timestamp": now} | fields
        last.merge(patch(depth, full, **fields), now)
        known = {name: value for name, value in last.fields.items() if name in NAMES}
        assert known == told
        assert ("bid_price" in last.fields) >= (last.depth is not None)
