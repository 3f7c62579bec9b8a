"""The judge of the simulated IIFL Capital's MQTT half, and of the feed's decoder: paho-mqtt 2.1, which the official
bridgePy is made of (that one is on GitHub only), with structures of bridgePy's layout."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.peers.decoding import asking
from tests.simulator_thread import SimulatorThread
from tests.support import wait_for_sync

from sangam.brokers.iiflcapital.packets import interest, price
from sangam.model.enums import Action, Mode, PriceType
from sangam.model.enums import Exchange as Code
from sangam.model.market import DepthLevel, Patch
from sangam.simulators import iiflcapital_wire as wire

Bridge = Callable[..., Any]

PRICES = {"ltp": "ltp", "open": "open", "high": "high", "low": "low", "close": "close",
          "avg_trade_price": "averageTradedPrice"}  # fmt: skip
COUNTS = {"volume": "tradedVolume", "last_trade_quantity": "lastTradedQuantity",
          "total_buy_quantity": "totalBidQuantity", "total_sell_quantity": "totalAskQuantity"}  # fmt: skip


@pytest.fixture(scope="module")
def bridge() -> Iterator[Bridge]:
    with asking("paho", Path(__file__).with_name("paho_client.py")) as ask:
        yield lambda *command: ask(json.dumps(command))


@pytest.fixture(scope="module")
def broker() -> Iterator[SimulatorThread]:
    with SimulatorThread("iiflcapital", run=False, heartbeat=0.05) as thread:
        yield thread


# --- decoding ---------------------------------------------------------------------------------------------------------


def theirs(told: dict[str, Any]) -> dict[str, Any]:
    """The structure's words in ours."""
    if "openInterest" in told:
        return {"oi": told["openInterest"], "oi_day_high": told["dayHighOi"], "oi_day_low": told["dayLowOi"]}
    div = told["priceDivisor"] if told["priceDivisor"] > 0 else 100
    if "indexId" in told:
        return {"ltp": told["value"] / div, "close": told["close"] / div}
    found: dict[str, Any] = {ours: told[name] / div for ours, name in PRICES.items()}
    found |= {ours: told[name] for ours, name in COUNTS.items()}
    if told["lastTradedTime"] > 0:
        found["ltt"] = told["lastTradedTime"] * 1000
    levels = [DepthLevel(row["price"] / div, row["quantity"], row["orders"]) for row in told["depth"]]
    for side, rows in (("buy", levels[:5]), ("sell", levels[5:])):
        found[side] = [row for row in rows if row.price or row.quantity or row.orders]
    return found


def ours(data: bytes) -> dict[str, Any]:
    patch: Patch = interest("k", data) if len(data) == 16 else price("k", data, Mode.DEPTH, False)
    found: dict[str, Any] = dict(patch.fields)
    return found if patch.depth is None else found | {"buy": patch.depth.buy, "sell": patch.depth.sell}


I32, U32, I16 = st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**32 - 1), st.integers(-(2**15), 2**15 - 1)
ROWS = st.lists(st.one_of(st.just((0, 0, 0, 0)), st.tuples(U32, I32, I16, I16)), min_size=10, max_size=10)


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(["market", "market", "interest", "index"]))
    if kind == "interest":
        return struct.pack("<4i", *(draw(I32) for _ in range(4)))
    divisor = draw(st.sampled_from([0, 1, 100, 10_000, -7]) | I32)
    if kind == "index":
        short = st.integers(0, 0xFFFF)
        return struct.pack("<BHIHHIi", 1, draw(short), draw(U32), draw(short), draw(short), draw(U32), divisor)
    head = struct.pack("<iII5iH", draw(I32), draw(U32), draw(U32), *(draw(I32) for _ in range(5)), 7)
    best = struct.pack("<IiIiIIii", 1, 2, 3, 4, draw(U32), draw(U32), divisor, draw(st.just(0) | I32))
    levels = b"".join(struct.pack("<Iihh", *row) for row in draw(ROWS))
    return head + best + levels + draw(st.sampled_from([b"", b"\0\0"]))


def test_random_packets_decode_the_same(bridge: Bridge) -> None:
    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(st.lists(packets(), min_size=4, max_size=6))
    def same(chosen: list[bytes]) -> None:
        for packet in chosen:
            assert ours(packet) == theirs(bridge("decode", packet.hex()))

    same()


# --- the simulated broker ---------------------------------------------------------------------------------------------


def entered(bridge: Bridge, broker: SimulatorThread, password: str = "", keep_alive: int = 20) -> Any:
    simulator: Any = broker.simulator
    host, _, port = simulator.hosts["stream"].removeprefix("tcp://").partition(":")
    return bridge("connect", host, int(port), simulator.user_id, password or simulator.login.feed_password, keep_alive)


def test_who_has_no_session_is_refused(bridge: Bridge, broker: SimulatorThread) -> None:
    assert entered(bridge, broker, "OPENID~~another~") == "Not authorized"


def test_prices_and_orders_as_the_official_client_hears_them(bridge: Bridge, broker: SimulatorThread) -> None:
    simulator: Any = broker.simulator
    exchange = simulator.exchange
    names = {"share": ("SBIN", Code.NSE), "future": ("NIFTY", Code.NFO), "index": ("NIFTY", Code.NSE_INDEX)}
    listed = {row.id: row for row in exchange.contracts}
    future = min(row for row in listed if row[1] is Code.NFO and row[0].startswith("NIFTY") and row[0].endswith("FUT"))
    markets = {what: exchange.market(*(future if what == "future" else name)) for what, name in names.items()}
    tails = {what: "/".join(simulator.names.of(market.contract)).lower() for what, market in markets.items()}
    mw = {what: f"prod/marketfeed/mw/v1/{tail}" for what, tail in tails.items()}
    oi = f"prod/marketfeed/oi/v1/{tails['future']}"
    orders, trades = simulator.news_topics

    assert entered(bridge, broker) == "Success"
    assert bridge("subscribe", [*mw.values(), oi, orders, trades, mw["share"].upper()]) == [0, 0, 0, 0, 0, 0, 128]
    for what, topic in mw.items():
        (first,) = bridge("hear", topic, 1)
        assert first["retained"]
        told = theirs(bridge("decode", first["hex"]))
        assert told["ltp"] == markets[what].rupees(markets[what].ltp)
        assert bytes.fromhex(first["hex"]) == wire.packet(markets[what])
    (first,) = bridge("hear", oi, 1)
    assert theirs(bridge("decode", first["hex"]))["oi"] == markets["future"].oi

    broker.call(lambda: exchange.step(1.0))
    for what, topic in mw.items():
        (moved,) = bridge("hear", topic, 1)
        assert not moved["retained"]
        assert bytes.fromhex(moved["hex"]) == wire.packet(markets[what])

    user = simulator.user_id
    order = broker.call(lambda: exchange.place(user, "SBIN", Code.NSE, Action.BUY, 1, PriceType.MARKET))
    (trade,) = bridge("hear", trades, 1)
    assert json.loads(bytes.fromhex(trade["hex"]))["brokerOrderId"] == order.order_id
    news = [json.loads(bytes.fromhex(told["hex"])) for told in bridge("hear", orders, 2)]
    assert [told["orderStatus"] for told in news] == ["open", "complete"]

    assert bridge("unsubscribe", [*mw.values(), oi]) == "left"
    before = bridge("count")
    broker.call(lambda: exchange.step(1.0))
    assert bridge("disconnect") == "gone: Normal disconnection"
    assert bridge("count") == before
    wait_for_sync(lambda: not simulator.sessions, what="the client to leave")


def test_pings_keep_a_quiet_connection(bridge: Bridge, broker: SimulatorThread) -> None:
    """Without an answer to its ping, paho would hang up; without a ping for 1.5 s, the simulator would."""
    assert entered(bridge, broker, keep_alive=1) == "Success"
    began = broker.simulator.exchange.clock.monotonic()
    wait_for_sync(lambda: broker.simulator.exchange.clock.monotonic() - began > 1.8, what="more than the keep-alive")
    assert bridge("connected")
    assert bridge("disconnect") == "gone: Normal disconnection"
