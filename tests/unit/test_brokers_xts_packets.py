"""XTS's market data: JSON of both shapes, texts of what changed, packets of both widths, and damage of every kind
(xts.md, 7.4 to 7.6)."""

import math
import struct
import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.test_xts import DEFLATED_1501, PLAIN_1501, PLAIN_1510, SNAPSHOT

from sangam.brokers.families.xts.packets import changed, quote, unpacked
from sangam.model.errors import DecodeError
from sangam.model.market import Depth, DepthLevel, Patch

KEY = (1, 2885)
HEARD = 1_736_142_418_000
"""2025-01-06 11:16:58 IST, which NSE counts as 1420629418."""
LIVE = {
    "ltp": 1233.1, "last_trade_quantity": 1, "volume": 6349910, "avg_trade_price": 1247.75,
    "total_buy_quantity": 465102, "total_sell_quantity": 726357, "open": 1253.95, "high": 1262.0, "low": 1231.6,
    "close": 1251.15, "timestamp": HEARD, "ltt": HEARD,
}  # fmt: skip
BOOK = Depth([DepthLevel(1233.05, 221, 7)], [DepthLevel(1233.4, 266, 3), DepthLevel(1233.45, 10, 1)])


def touchline(wide: bool, ltp: float = 1233.1) -> bytes:
    row, numbers = ("qdih", "qqqq") if wide else ("idih", "iIII")
    best = struct.pack(f"<{row}", 221, 1233.05, 7, 0) + struct.pack(f"<{row}", 266, 1233.4, 3, 0)
    times = struct.pack(f"<Qd{numbers}dq", 1420629418, ltp, 1, 465102, 726357, 6349910, 1247.75, 1420629418)
    return best + times + struct.pack("<d4dd4h", -1.44, 1253.95, 1262.0, 1231.6, 1251.15, 0.0, 0, 0, 1, 1)


def book(wide: bool, rows: int = 5) -> bytes:
    row = "<qdih" if wide else "<idih"
    bids = [struct.pack(row, 221, 1233.05, 7, 0)] + [struct.pack(row, 0, 0.0, 0, 0)] * (rows - 1)
    asks = [struct.pack(row, 266, 1233.4, 3, 0), struct.pack(row, 10, 1233.45, 1, 0)]
    asks += [struct.pack(row, 0, 0.0, 0, 0)] * (rows - 2)
    return b"".join(struct.pack("<i", len(side)) + b"".join(side) for side in (bids, asks)) + touchline(wide)


def packet(
    code: int, payload: bytes, *, packed: bool = False, version: int = 4, key: Any = KEY, named: Any = KEY
) -> bytes:
    counted = struct.pack("<Qi", 7, 0) if version >= 4 else b""
    body = struct.pack("<HHHQ", code, version, 0, 0) + counted + struct.pack("<hiQ", *named, 1420629418) + payload
    head = struct.pack("<bHhihhH", packed, code, *key, 1, 1, len(body))
    if not packed:
        return head + body
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    small = deflate.compress(body) + deflate.flush()
    return head + struct.pack("<H", len(small)) + small


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_flat() -> None:
    patch = quote(SNAPSHOT)
    assert (patch.key, patch.depth) == (KEY, None)
    assert patch.fields["ltp"] == 1234.5
    assert patch.fields["timestamp"] == 1_736_142_367_000


def test_the_live_feed_is_nested_and_has_its_book() -> None:
    text = (
        '{"MessageCode":1502,"ExchangeSegment":1,"ExchangeInstrumentID":2885,"Bids":[{"Size":221,"Price":1233.05,'
        '"TotalOrders":7,"BuyBackMarketMaker":0},{"Size":0,"Price":0,"TotalOrders":0}],"Asks":[{"Size":266,'
        '"Price":1233.4,"TotalOrders":3}],"Touchline":{"LastTradedPrice":1233.1,"LastUpdateTime":1420629418,'
        '"TotalValueTraded":null,"LastTradedTime":0}}'
    )
    depth = Depth([DepthLevel(1233.05, 221, 7)], [DepthLevel(1233.4, 266, 3)])
    assert quote(text) == Patch(KEY, {"ltp": 1233.1, "timestamp": HEARD}, depth)


def test_both_spellings_of_the_last_quantity_are_read() -> None:
    for name in ("LastTradedQunatity", "LastTradedQuantity"):
        text = f'{{"ExchangeSegment":1,"ExchangeInstrumentID":5,"{name}":8}}'
        assert quote(text) == Patch((1, 5), {"last_trade_quantity": 8})


@pytest.mark.parametrize(("segment", "heard"), [(1, HEARD), (2, HEARD), (3, HEARD), (11, HEARD), (51, HEARD)])
def test_times_count_from_1980_in_nse_and_from_1970_elsewhere_on_indias_clock(segment: int, heard: int) -> None:
    seconds = heard // 1000 + 19_800 - (315_532_800 if segment < 4 else 0)
    patch = quote(f'{{"ExchangeSegment":{segment},"ExchangeInstrumentID":5,"LastUpdateTime":{seconds}}}')
    assert patch.fields == {"timestamp": heard}


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "{}", '{"ExchangeSegment":"1"}', 5, None, b"\xff", '{"ExchangeSegment":1,"Bids":[{}]}',
        '{"ExchangeSegment":1,"LastTradedPrice":"1"}', '{"ExchangeSegment":1,"LastUpdateTime":99999999999999}',
        '{"ExchangeSegment":1,"LastTradedPrice":1e999}',
    ],
)  # fmt: skip
def test_a_damaged_row_is_said_to_be(text: Any) -> None:
    with pytest.raises(DecodeError):
        quote(text)


# --- what changed -----------------------------------------------------------------------------------------------------


def test_only_what_changed_is_told() -> None:
    patch = changed(1501, "t:1_2885,ltp:1233.1,v:6349910,lut:1420629418,pc:-1.44,c:1251.15,bi:0|1|2|3", {})
    fields = {"ltp": 1233.1, "volume": 6349910, "timestamp": HEARD, "close": 1251.15}
    assert patch == Patch(KEY, fields)  # type: ignore[arg-type]


def test_open_interest_has_one_letter_with_the_opening_price() -> None:
    assert changed(1510, "t:2_35001,o:12345675,uex:1", {}).fields == {"oi": 12345675}
    assert changed(1501, "t:2_35001,o:101.5", {}).fields == {"open": 101.5}


@pytest.mark.parametrize("flag", ["", "|0"])
def test_levels_change_in_the_book_that_was_before(flag: str) -> None:
    patch = changed(1502, f"t:1_2885,bi:0|230||{flag},ai:1|0|0|0{flag}", {KEY: BOOK})
    assert patch.depth == Depth([DepthLevel(1233.05, 230, 7)], [DepthLevel(1233.4, 266, 3)])
    longer = changed(1502, f"t:1_2885,bi:1|5|1233|2{flag}", {KEY: BOOK})
    assert longer.depth == Depth([*BOOK.buy, DepthLevel(1233.0, 5, 2)], BOOK.sell)
    assert BOOK.buy == [DepthLevel(1233.05, 221, 7)], "the book before is as it was"


def test_a_book_that_nobody_knows_is_not_made_of_its_changes() -> None:
    assert changed(1502, "t:1_2885,bi:0|230|1233|7", {}).depth is None


@pytest.mark.parametrize(
    "text",
    ["", "ltp:1", "t:1", "t:x_y", "t:1_2885,ltp", "t:1_2885,ltp:nan", "t:1_2885,bi:0|1|2", "t:1_2885,bi:3|1|2|3", 7],
)
def test_damaged_changes_are_said_to_be(text: Any) -> None:
    with pytest.raises(DecodeError):
        changed(1502, text, {KEY: BOOK})


# --- packets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [PLAIN_1501, DEFLATED_1501])
def test_the_vectors_of_the_official_decoder(data: bytes) -> None:
    assert list(unpacked(data)) == [(1501, Patch(KEY, LIVE))]  # type: ignore[arg-type]


def test_the_vector_of_open_interest() -> None:
    assert list(unpacked(PLAIN_1510)) == [(1510, Patch((2, 35001), {"oi": 12345675}))]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_touchlines_and_books_of_both_widths(wide: bool, packed: bool) -> None:
    data = packet(1501, touchline(wide), packed=packed) + packet(1502, book(wide), packed=packed)
    assert list(unpacked(data)) == [(1501, Patch(KEY, LIVE)), (1502, Patch(KEY, LIVE, BOOK))]  # type: ignore[arg-type]


def test_the_widths_have_the_sizes_of_the_sheet() -> None:
    assert [len(touchline(wide)) + 40 for wide in (False, True)] == [180, 204]
    assert [len(book(wide)) + 40 for wide in (False, True)] == [368, 432]


@pytest.mark.parametrize("wide", [False, True])
def test_a_book_may_be_shorter_and_an_older_version_has_no_number(wide: bool) -> None:
    data = packet(1502, book(wide, rows=2), version=3)
    assert list(unpacked(data)) == [(1502, Patch(KEY, LIVE, BOOK))]  # type: ignore[arg-type]


def test_the_width_is_told_by_sizes_whatever_the_bytes_would_be_in_the_other_one() -> None:
    """Quantities of all ones are no number where a price would be."""
    rows = b"".join(struct.pack("<qdih", -1, 5.0, 1, -1) for _ in range(5))
    side = struct.pack("<i", 5) + rows
    ((_, patch),) = unpacked(packet(1502, side + side + touchline(True)))
    assert isinstance(patch, Patch)
    assert patch.fields == LIVE


def test_open_interest_with_the_name_of_an_index() -> None:
    payload = struct.pack("<hihQb", 1, 500, 1, 26000, 1) + b"\x05NIFTY" + struct.pack("<i", 700)
    assert list(unpacked(packet(1510, payload))) == [(1510, Patch(KEY, {"oi": 500}))]


def test_open_interest_of_another_size_is_left_alone() -> None:
    """How it is packed with 64 bits is not known (jainamxts.md, 12)."""
    assert list(unpacked(packet(1510, bytes(29)))) == [(1510, 29)]


def test_codes_that_are_not_ours_are_passed_over() -> None:
    assert list(unpacked(packet(1512, b"?") + PLAIN_1510)) == [(1512, None), *unpacked(PLAIN_1510)]


@pytest.mark.parametrize(
    "data",
    [
        PLAIN_1501[:-1],
        PLAIN_1501[:10],
        DEFLATED_1501[:-4],
        PLAIN_1501 + b"\x00",
        b"\x02" + PLAIN_1501[1:],
        packet(1501, touchline(False)[:-8]),
        packet(1502, book(False)[:-8]),
        packet(1502, struct.pack("<i", -1) + bytes(200)),
        packet(1501, touchline(False), named=(1, 5)),
        packet(1501, touchline(False, ltp=math.nan)),
        packet(1501, touchline(True, ltp=math.inf)),
        packet(1501, b"", version=4)[:13] + b"\x00\x00",
    ],
)  # fmt: skip
def test_damaged_packets_are_said_to_be(data: bytes) -> None:
    with pytest.raises(DecodeError):
        list(unpacked(data))


@given(st.sampled_from([PLAIN_1501, DEFLATED_1501, PLAIN_1510, packet(1502, book(True), packed=True)]), st.data())
def test_whatever_the_bytes_it_is_damage_or_prices_that_are_numbers(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    flipped = data[:at] + bytes([data[at] ^ draw.draw(st.integers(1, 255))]) + data[at + 1 :]
    for each in (flipped, data[:at], data[at:], draw.draw(st.binary(max_size=300))):
        try:
            found = list(unpacked(each))
        except DecodeError:
            continue
        for _, patch in found:
            if isinstance(patch, Patch):
                assert all(math.isfinite(value) for value in patch.fields.values() if isinstance(value, float))


@given(st.text(), st.sampled_from([1501, 1502, 1510, 1512]))
def test_whatever_the_text_it_is_damage_or_a_patch(text: str, code: int) -> None:
    for read in (
        quote,
        lambda each: changed(code, each, {KEY: BOOK}),
        lambda each: changed(code, f"t:1_2885,{each}", {}),
    ):
        with suppress(DecodeError):
            assert isinstance(read(text), Patch)
