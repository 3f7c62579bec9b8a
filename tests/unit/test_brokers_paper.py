"""The paper broker speaks the house's own wire: envelope, list of instruments, JSON stream."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import (
    Candle,
    Confirmed,
    Ctx,
    Operation,
    Refusal,
    Reply,
    Request,
    Result,
    RowRefused,
    Send,
    Session,
    WireRequest,
)
from sangam.brokers.paper import SPEC
from sangam.brokers.paper.stream import BATCH, PaperCodec
from sangam.brokers.wire import NatsMessage
from sangam.model.enums import Exchange, InstrumentType, Mode
from sangam.model.errors import DecodeError, RateLimited, Refused, SessionExpired, Unknown
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Key, Patch
from sangam.model.order import OrderUpdate

CTX = Ctx(0, bytes)
SESSION = Session(
    account="a1",
    broker="paper",
    generation=1,
    secrets={"access_token": "t+1"},
    hosts={"stream": "ws://127.0.0.1:9", "api": "http://127.0.0.1:8"},
)
READ = Request(method="GET", host="api", path="/session")
HEADER = "token,symbol,exchange,name,instrument_type,expiry,strike,lot_size,tick_size\n"


def test_spec() -> None:
    assert (SPEC.name, SPEC.title, SPEC.simulated) == ("paper", "Sangam Paper", True)
    assert set(SPEC.hosts) == {"api", "stream"}
    (stream,) = SPEC.streams
    assert stream.carries.exchanges == frozenset(Exchange)
    assert stream.carries.granted(Level(Mode.DEPTH, 50)) == Level(Mode.DEPTH, 5)
    assert (stream.silence, stream.opens, stream.carries.orders) == (5.0, "with_session", True)


def test_login_and_envelope() -> None:
    operation = SPEC.login.check(SESSION, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert (request.method, request.path) == ("GET", "/session")
    payload = SPEC.check(request, Reply(200, {}, {"status": "success", "data": {"client_id": "PAPER1"}}))
    with pytest.raises(StopIteration) as stop:
        operation.send(payload)
    assert stop.value.value == "PAPER1"
    wire = WireRequest("GET", "http://127.0.0.1:8/session", {}, b"")
    assert SPEC.authorize(SESSION, READ, wire, CTX) == {"Authorization": "Bearer t+1"}


def test_errors() -> None:
    with pytest.raises(SessionExpired):
        SPEC.check(READ, Reply(401, {}, {"status": "error", "message": "bad token"}))
    for reply in (Reply(500, {}, None), Reply(200, {}, {"status": "error", "message": "why"}), Reply(200, {}, [])):
        with pytest.raises(Unknown):
            SPEC.check(READ, reply)
    for status, error in ((400, Refused), (429, RateLimited)):
        with pytest.raises(error, match="why"):
            SPEC.check(READ, Reply(status, {}, {"status": "error", "message": "why"}))
    operation = SPEC.login.check(SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send({})


def test_download() -> None:
    operation = SPEC.instruments.download(SESSION, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert (request.path, request.reply) == ("/instruments.csv", "file")
    assert SPEC.check(request, Reply(200, {}, b"csv")) == b"csv"
    with pytest.raises(StopIteration) as stop:
        operation.send(b"csv")
    assert stop.value.value == [b"csv"]


def test_instruments() -> None:
    rows = (
        "101,NIFTY,NSE_INDEX,Nifty 50,INDEX,,,1,0.05\n"
        "102,NIFTY18AUG2624350CE,NFO,NIFTY,CE,2026-08-18,24350.0,65,0.05\n"
        "103,X,NOWHERE,,EQ,,,1,0.05\n"
        "104,X,NSE\n"
    )
    index, option, *refusals = SPEC.instruments.parse([(HEADER + rows).encode()])
    assert index == Instrument(
        symbol="NIFTY",
        exchange=Exchange.NSE_INDEX,
        brsymbol="NIFTY",
        brexchange="NSE_INDEX",
        token="101",
        name="Nifty 50",
        instrument_type=InstrumentType.INDEX,
    )
    assert isinstance(option, Instrument)
    assert (option.expiry, option.strike, option.lot_size, option.tick_size) == (date(2026, 8, 18), 24350.0, 65, 0.05)
    assert SPEC.streams[0].key(option) == "102"
    assert [type(refusal) for refusal in refusals] == [RowRefused, RowRefused]
    with pytest.raises(DecodeError):
        list(SPEC.instruments.parse([b"<html>"]))


SBIN = Instrument(symbol="SBIN", exchange=Exchange.NSE, brsymbol="SBIN", brexchange="NSE", token="11")
INFY = Instrument(symbol="INFY", exchange=Exchange.NSE, brsymbol="INFY", brexchange="NSE", token="12")


def answered(operation: Operation[Any], data: Any) -> tuple[Request, Any]:
    """What an operation asks, and what it makes of the answer."""
    request = next(operation)
    assert isinstance(request, Request)
    with pytest.raises(StopIteration) as stop:
        operation.send(SPEC.check(request, Reply(200, {}, {"status": "success", "data": data})))
    return request, stop.value.value


def test_quotes() -> None:
    assert SPEC.data is not None
    rows = [["12", {"ltp": 1500}, [], [[1500.5, 3, 1]]], ["99", {"ltp": 1}, [], []]]
    request, patches = answered(SPEC.data.quotes([SBIN, INFY], SESSION, CTX), rows)
    assert (request.path, request.query) == ("/quotes", {"tokens": "11,12"})
    assert patches == [Patch(INFY, {"ltp": 1500.0}, Depth([], [DepthLevel(1500.5, 3, 1)]), True)]


def test_history() -> None:
    assert SPEC.data is not None
    assert SPEC.data.history is not None
    operation = SPEC.data.history(SBIN, "1h", date(2026, 8, 17), date(2026, 8, 18), SESSION, CTX)
    request, candles = answered(operation, [[1786938300, 1, 2, 0.5, 1.5, 10, 0]])
    assert request.query == {"token": "11", "interval": "1h", "from": "2026-08-17", "to": "2026-08-18"}
    assert candles == [Candle(1786938300, 1.0, 2.0, 0.5, 1.5, 10)]


@pytest.mark.parametrize("data", [None, {}, [7], [["11"]], [[1, 2, 3]], [[1.5, 1, 2, 0.5, 1.5, 10, 0]]])
def test_odd_market_data_is_unknown(data: Any) -> None:
    assert SPEC.data is not None
    assert SPEC.data.history is not None
    day = date(2026, 8, 17)
    for operation in (SPEC.data.quotes([SBIN], SESSION, CTX), SPEC.data.history(SBIN, "D", day, day, SESSION, CTX)):
        next(operation)
        with pytest.raises(Unknown):
            operation.send(data)


def test_endpoint() -> None:
    with pytest.raises(StopIteration) as stop:
        next(SPEC.streams[0].open(SESSION, CTX))
    assert stop.value.value.url == "ws://127.0.0.1:9/stream?token=t%2B1"


def sent(results: Iterable[Result]) -> list[object]:
    return [msgspec.json.decode(result.command) for result in results if isinstance(result, Send)]  # type: ignore[arg-type]


def test_update_sends_only_what_differs_in_batches() -> None:
    codec = PaperCodec()
    assert sent(codec.update({"a": Level(Mode.LTP), "b": Level(Mode.DEPTH)})) == [{"sub": [["a", 1], ["b", 3]]}]
    assert sent(codec.update({"b": Level(Mode.QUOTE), "c": Level(Mode.LTP)})) == [
        {"unsub": ["a"]},
        {"sub": [["c", 1], ["b", 2]]},
    ]
    assert sent(codec.update({"b": Level(Mode.QUOTE), "c": Level(Mode.LTP)})) == []
    many: dict[Key, Level] = {str(number): Level(Mode.LTP) for number in range(BATCH + 1)}
    sizes = [len(result.keys) for result in PaperCodec().update(many) if isinstance(result, Send)]
    assert sizes == [BATCH, 1]


def test_messages() -> None:
    codec = PaperCodec()
    assert list(codec.received('{"ok":["1","2"]}')) == [Confirmed(("1", "2"))]
    assert list(codec.received('{"refused":[["3","unknown token"]]}')) == [Refusal("3", "unknown token")]
    assert list(codec.received('{"hb":1760000000000}')) == []
    ticks = '{"ticks":[["1",{"ltp":100}],["2",{"ltp":2.5,"volume":7},[[2.45,10,1]],[]]]}'
    assert list(codec.received(ticks)) == [
        Patch("1", {"ltp": 100.0}, None, True),
        Patch("2", {"ltp": 2.5, "volume": 7}, Depth([DepthLevel(2.45, 10, 1)], []), True),
    ]
    order = OrderUpdate(order_id="1", brsymbol="SBIN", brexchange="NSE", action="BUY", quantity=1, status="open")
    assert list(codec.received(msgspec.json.encode({"order": order}).decode())) == [order]


@pytest.mark.parametrize(
    "message",
    ["", "[]", '{"ticks":[["1"]]}', '{"ticks":[[1,{"ltp":1}]]}', '{"ok":"all"}', '{"order":{}}', b"\xff", "{" * 9999],
)
def test_damaged_messages(message: str | bytes) -> None:
    with pytest.raises(DecodeError):
        list(PaperCodec().received(message))


def test_messages_of_other_framings_are_damaged() -> None:
    with pytest.raises(DecodeError):
        list(PaperCodec().received(NatsMessage("s", b"")))


@given(st.text() | st.binary())
def test_any_message_is_read_or_damaged(message: str | bytes) -> None:
    try:
        results = list(PaperCodec().received(message))
    except DecodeError:
        return
    assert results == []
