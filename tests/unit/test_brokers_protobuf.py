"""Messages made of tables, judged by bytes written by hand (protobuf docs: Encoding)."""

import pytest

from sangam.brokers.protobuf import DecodeError, Table, messages

TABLE: Table = {
    "Row": {"price": (1, "double"), "quantity": (2, "int64")},
    "Book": {
        "rows": (1, "Row", "repeated"),
        "kind": (2, "Kind"),
        "last": (3, "double", "optional"),
        "size": (4, "UInt64Value"),
        "one": (5, "Row", "either"),
        "other": (6, "string", "either"),
    },
    "Feed": {"books": (1, "Book", "map"), "now": (2, "int64")},
}
KINDS = {"Kind": {"first": 0, "live": 1}}
MADE = messages("test_brokers_protobuf", TABLE, KINDS)


def test_reads_what_the_encoding_says() -> None:
    row = bytes([1 << 3 | 1, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F, 2 << 3, 75])
    book = bytes([1 << 3 | 2, len(row)]) + row + bytes([2 << 3, 1, 4 << 3 | 2, 2, 1 << 3, 9, 6 << 3 | 2, 1]) + b"x"
    entry = b"\x0a\x03NSE\x12" + bytes([len(book)]) + book
    feed = MADE["Feed"].FromString(bytes([1 << 3 | 2, len(entry)]) + entry + bytes([2 << 3, 5]))
    told = feed.books["NSE"]
    assert feed.now == 5
    assert [(each.price, each.quantity) for each in told.rows] == [(1.5, 75)]
    assert told.kind == 1
    assert told.size.value == 9
    assert told.WhichOneof("either") == "other"


def test_absence_can_be_told_from_zero() -> None:
    book = MADE["Book"]
    assert not book.FromString(b"").HasField("last")
    assert not book.FromString(b"").HasField("size")
    zero = book.FromString(bytes([3 << 3 | 1]) + bytes(8))
    assert zero.HasField("last")
    assert zero.last == 0.0


def test_unknown_fields_are_skipped_and_damage_is_told() -> None:
    assert MADE["Row"].FromString(bytes([15 << 3, 1, 2 << 3, 7])).quantity == 7
    with pytest.raises(DecodeError):
        MADE["Row"].FromString(b"\x09\x00")


def test_tables_of_the_same_names_do_not_meet() -> None:
    other = messages("another", {"Row": {"price": (1, "int64")}})["Row"]
    assert other(price=3).price == 3
    assert MADE["Row"](price=1.5).price == 1.5
