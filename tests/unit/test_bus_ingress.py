"""Programs that publish as the reference's adapters do, and who hears them."""

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from tests.feed_rig import Ears
from tests.support import wait_for

from sangam.bus.ingress import RATE, Ingress, Told, translate
from sangam.feed.external import EXTERNAL, External
from sangam.feed.port import Dialect, Granted
from sangam.model.clock import IST, Clock, ManualClock, SystemClock
from sangam.model.enums import Mode
from sangam.model.instrument import Level
from sangam.model.market import Depth, DepthLevel

BROKERS = ["alpha"]
QUOTE = {"ltp": 625.5, "open": 620, "high": 630.0, "low": 618, "close": 622.0, "volume": 1000}


def told(topic: str, row: Any) -> Told | None:
    return translate([topic.encode(), json.dumps(row).encode()], BROKERS)


@pytest.mark.parametrize(
    ("topic", "place"),
    [
        ("NSE_SBIN_LTP", ("SBIN", "NSE")),
        ("NSE_INDEX_NIFTY_QUOTE", ("NIFTY", "NSE_INDEX")),
        ("ALPHA_NFO_NIFTY28MAR24FUT_quote", ("NIFTY28MAR24FUT", "NFO")),
        ("UNHEARDOF_BSE_INDEX_SENSEX_LTP", ("SENSEX", "BSE_INDEX")),
        ("SBIN#NSE", ("SBIN", "NSE")),
    ],
)
def test_topics_of_all_kinds(topic: str, place: tuple[str, str]) -> None:
    found = told(topic, {"ltp": 1.5})
    assert found is not None
    assert found[:2] == place


@pytest.mark.parametrize(
    ("topic", "row"),
    [
        ("ALPHA_u1_orders", {"orderid": "1"}),
        ("ALPHA_u1_positions", {}),
        ("CACHE_INVALIDATE_ALL_u1", {"action": "invalidate"}),
        ("SBIN#NOWHERE", {"ltp": 1.5}),
        ("NSE_SBIN_LTP", {"ltp": None}),
        ("NSE_SBIN_LTP", {"ltp": 0}),
        ("NSE_SBIN_LTP", {"ltp": "nan"}),
        ("NSE_SBIN_LTP", {"ltp": True}),
        ("NSE_SBIN_LTP", [1]),
        ("NSE_SBIN_DEPTH", {"ltp": 0, "depth": {"buy": [], "sell": []}}),
    ],
)
def test_what_is_no_price_is_ignored(topic: str, row: Any) -> None:
    assert told(topic, row) is None


def test_field_names_of_all_adapters_become_ours() -> None:
    variants: list[dict[str, Any]] = [
        {"last_quantity": 5, "average_price": 10.5, "timestamp": 1_700_000_000_000},
        {"ltq": "5", "avg_trade_price": "10.5", "timestamp": 1_700_000_000},
        {"last_trade_quantity": 5.0, "atp": 10.5, "timestamp": 1_700_000_000.0},
    ]
    for row in variants:
        found = told("NSE_SBIN_QUOTE", {"ltp": "625.50", "mode": "quote", **row})
        assert found is not None
        assert found.fields == {
            "ltp": 625.5,
            "last_trade_quantity": 5,
            "avg_trade_price": 10.5,
            "timestamp": 1_700_000_000_000,
        }
        assert all(type(found.fields[name]) is int for name in ("last_trade_quantity", "timestamp"))


@pytest.mark.parametrize("moment", [1_700_000_000_000_000, -5, "soon", "9999-99-99"])
def test_what_is_no_time_is_not_told(moment: Any) -> None:
    found = told("NSE_SBIN_LTP", {"ltp": 625.5, "timestamp": moment})
    assert found is not None
    assert found.fields == {"ltp": 625.5}


def test_a_book_without_its_empty_rows_and_without_a_price() -> None:
    rows = {"buy": [{"price": 10, "quantity": 7, "orders": 2}, {"price": 0, "quantity": 0}], "sell": "none"}
    found = told("NSE_SBIN_DEPTH", {"data": {"ltp": 0, "depth": rows}})
    assert found == Told("SBIN", "NSE", {}, Depth([DepthLevel(10.0, 7, 2)], []))


junk = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["ltp", "depth", "buy", "price", "timestamp", "data", "volume"]), inner)
    ),
)


@given(st.sampled_from(["NSE_SBIN_DEPTH", "NSE_SBIN_LTP", "x"]), junk)
def test_any_json_is_translated_or_ignored(topic: str, row: Any) -> None:
    translate([topic.encode(), json.dumps(row).encode()], BROKERS)


@given(st.lists(st.binary(), max_size=4))
def test_any_bytes_are_translated_or_ignored(frames: list[bytes]) -> None:
    translate(frames, BROKERS)


class Outside:
    """The account `external`, open to a publisher on a socket."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.external = External(self.clock)
        self.ears = Ears()
        self.external.attach(self.ears)
        self.ingress = Ingress(self.external, BROKERS, self.clock)

    def want(self, symbol: str = "SBIN", mode: Mode = Mode.LTP, dialect: Dialect = Dialect.CANONICAL) -> int:
        answer = self.external.want(symbol, "NSE", Level(mode), dialect)
        assert isinstance(answer, Granted)
        return answer.want


@contextlib.asynccontextmanager
async def outside() -> AsyncIterator[tuple[Outside, "zmq.Socket[bytes]"]]:
    made = Outside()
    made.ingress.start("tcp://127.0.0.1:*")
    with zmq.Context() as context, context.socket(zmq.PUB) as publisher:
        publisher.setsockopt(zmq.LINGER, 0)
        publisher.connect(made.ingress.endpoint)

        def joined() -> bool:
            publisher.send_multipart([b"hello", b"{}"])
            return made.ingress.ignored > 0

        await wait_for(joined, what="the publisher to be connected")
        yield made, publisher
    made.ingress.close()


async def test_what_is_published_is_heard_by_those_who_asked() -> None:
    async with outside() as (house, publisher):
        ltp, quote, deep = house.want(), house.want(mode=Mode.QUOTE), house.want("SBIN:20", Mode.DEPTH)
        assert house.want() == ltp
        publisher.send_multipart([b"NSE_SBIN_LTP", json.dumps({"ltp": 600}).encode()])
        publisher.send_multipart([b"NSE_TCS_LTP", json.dumps({"ltp": 4000}).encode()])
        publisher.send_multipart([b"NSE_SBIN_QUOTE", json.dumps(QUOTE).encode()])
        await wait_for(lambda: house.ears.of(quote), what="the quote")
        assert house.ears.prices(ltp) == [600.0, 625.5]
        assert [row["ltp"] for row in house.ears.of(quote)] == [625.5]
        book = {"buy": [{"price": 625, "quantity": 1}], "sell": []}
        publisher.send_multipart([b"NSE_SBIN_DEPTH", json.dumps({"depth": book}).encode()])
        await wait_for(lambda: house.ears.of(deep), what="the book")
        assert house.ears.of(deep)[0]["depth"]["buy"][0]["price"] == 625.0
        assert {account for account, *_ in map(msgspec.structs.astuple, house.ears.states)} <= {EXTERNAL}
        for want in (ltp, ltp, quote, deep):
            house.external.release(want)
        assert house.external.health().wants == 0


async def test_too_many_are_dropped_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(datetime(2026, 8, 3, 10, 0, tzinfo=IST))
    house = Outside(clock)
    house.ingress.start("tcp://127.0.0.1:*")
    for _ in range(RATE + 10):
        house.ingress._received([b"NSE_SBIN_LTP", b'{"ltp":600}'])
    clock.advance(0.001)
    house.ingress._received([b"NSE_SBIN_LTP", b'{"ltp":600}'])
    assert house.ingress.figures() == {
        "ingress_taken_total": RATE + 1,
        "ingress_dropped_total": 10,
        "ingress_ignored_total": 0,
    }
    house.ingress._tick()
    assert "10 dropped" in caplog.text
    house.ingress.close()
