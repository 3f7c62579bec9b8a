"""Market data as JSON: the names that payloads show, and order updates that survive a round trip."""

import msgspec

from sangam.model.market import Depth, DepthLevel, Fields, Patch
from sangam.model.order import OrderUpdate


def test_a_book_encodes_as_objects() -> None:
    depth = Depth([DepthLevel(1.5, 10, 2)], [DepthLevel(1.55, 3)])
    assert msgspec.json.encode(depth) == (
        b'{"buy":[{"price":1.5,"quantity":10,"orders":2}],"sell":[{"price":1.55,"quantity":3,"orders":0}]}'
    )


def test_fields_are_all_optional() -> None:
    assert msgspec.json.decode(b'{"ltp":1}', type=Fields) == {"ltp": 1.0}
    assert Fields.__required_keys__ == frozenset()


def test_a_patch_is_partial_unless_it_says_so() -> None:
    patch = Patch(1, {"ltp": 1.0})
    assert (patch.depth, patch.full) == (None, False)


def test_order_updates_round_trip() -> None:
    update = OrderUpdate(order_id="1", brsymbol="S", brexchange="NSE", action="BUY", quantity=5, status="open", tag="t")
    assert msgspec.json.decode(msgspec.json.encode(update), type=OrderUpdate) == update
