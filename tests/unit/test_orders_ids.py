"""Names of orders: readable, of the mode, unique."""

import os
from collections.abc import Callable

import pytest

from sangam.brokers.contract import Tag
from sangam.brokers.trading import NO_TAG
from sangam.model.order import TradingMode
from sangam.orders.ids import ALPHABET, mode_of, new_id


def free(id: str) -> bool:
    return False


@pytest.mark.parametrize(("mode", "prefix"), [(TradingMode.LIVE, "L-"), (TradingMode.PAPER, "P-")])
def test_ten_characters_behind_the_mode(mode: TradingMode, prefix: str) -> None:
    ids = {new_id(mode, Tag("text", 20), os.urandom, free) for _ in range(1000)}
    assert len(ids) == 1000
    for one in ids:
        assert one.startswith(prefix)
        assert len(one) == 12
        assert set(one[2:]) <= set(ALPHABET)
        assert mode_of(one) is mode


def test_no_letter_is_taken_for_a_digit() -> None:
    assert len(set(ALPHABET)) == 32
    assert not set("ILOU") & set(ALPHABET)


@pytest.mark.parametrize("fill", [b"\x00", b"\xff", b"\x5a"])
def test_nine_digits_where_the_broker_takes_a_number(fill: bytes) -> None:
    one = new_id(TradingMode.LIVE, Tag("int", 9), lambda count: fill * count, free)
    assert one[2:].isdigit()
    assert len(one) == 11
    assert one[2] != "0"


def test_a_taken_one_is_not_given_again() -> None:
    rolls = iter([bytes(8), bytes(8), b"\x01" * 8])
    random: Callable[[int], bytes] = lambda count: next(rolls)  # noqa: E731
    assert new_id(TradingMode.PAPER, NO_TAG, random, {"P-0000000000"}.__contains__) != "P-0000000000"


def test_what_is_no_id_of_ours_has_no_mode() -> None:
    for text in ("", "L-", "LX", "250408000989443", "X-ABCDEFGHJK", "GTT-250408-1"):
        assert mode_of(text) is None
