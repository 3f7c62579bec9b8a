"""XTS's sockets: what is subscribed for which level, snapshots and the limit they tell, news of orders (xts.md, 7 and
8)."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.matrix import World
from tests.conformance.rig import rig_for
from tests.conformance.stands import STANDS
from tests.contract.driver import Rest, Socket
from tests.contract.test_xts import OPENING, PLACEHOLDER, PLAIN_1501, SNAPSHOT
from tests.support import wait_for
from tests.unit.test_brokers_xts_packets import KEY, LIVE, book, packet

from sangam.brokers import jainamxts, rmoney
from sangam.brokers.contract import (
    BooksChanged,
    BrokerSpec,
    Confirmed,
    LimitChanged,
    LoggedIn,
    Notice,
    Refusal,
    Replaced,
)
from sangam.brokers.wire import SocketIOEvent
from sangam.model.enums import AccountState, Exchange, Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key, Patch
from sangam.model.order import OrderUpdate
from sangam.simulators.xts import Xts

PATH = "/instruments/subscription"
NIFTY = (2, 35001)
SECRETS = {"access_token": "t1", "feed_token": "t2", "user_id": "U1", "feed_user": "U2"}
LTP, QUOTE, DEPTH = Level(Mode.LTP), Level(Mode.QUOTE), Level(Mode.DEPTH)


def reply(*snapshots: str, left: int | None = None) -> tuple[int, Any]:
    result: dict[str, Any] = {"mdp": 1501, "quotesList": [], "listQuotes": snapshots}
    result |= {} if left is None else {"Remaining_Subscription_Count": left}
    return 200, {"type": "success", "code": "s-session-0001", "description": "subscribed", "result": result}


def refusal(code: str, text: str) -> tuple[int, Any]:
    return 400, {"type": "error", "code": code, "description": text, "result": {}}


def opened(*posts: Any, puts: tuple[Any, ...] = (), spec: BrokerSpec = rmoney.SPEC) -> tuple[Rest, Socket]:
    rest = Rest(spec, SECRETS, {f"POST {PATH}": list(posts), f"PUT {PATH}": list(puts)})
    socket = Socket(rest, spec.streams[0])
    socket.receive(*OPENING)
    return rest, socket


def asked(rest: Rest) -> list[tuple[str, int, int]]:
    """Method, code and how many instruments of each request."""
    forms = [(sent.method, json.loads(sent.content)) for sent in rest.sent]
    return [(method, form["xtsMessageCode"], len(form["instruments"])) for method, form in forms]


def row(code: int, ltp: float, key: tuple[int, int] = KEY, **more: Any) -> str:
    """A live event."""
    told = {"ExchangeSegment": key[0], "ExchangeInstrumentID": key[1], "Touchline": {"LastTradedPrice": ltp}} | more
    return "42" + json.dumps([f"{code}-json-full", json.dumps(told)])


def prices(socket: Socket) -> list[float]:
    return [patch.fields["ltp"] for patch in socket.take_patches()]


# --- market data ------------------------------------------------------------------------------------------------------


def test_the_socket_is_asked_for_by_the_token_of_market_data() -> None:
    _, socket = opened()
    assert socket.logged_in
    assert socket.endpoint.url == (
        "wss://xts.rmoneyindia.co.in:3000/apimarketdata/socket.io/?token=t2&userID=U2&publishFormat=JSON"
        "&broadcastMode=Full&transport=websocket&EIO=3"
    )


def test_a_subscription_goes_by_rest_and_its_reply_is_the_snapshot() -> None:
    rest, socket = opened(reply(SNAPSHOT, left=49))
    socket.want({KEY: QUOTE})
    (request,) = rest.sent
    assert request.url == "https://xts.rmoneyindia.co.in:3000/apimarketdata/instruments/subscription"
    assert request.headers["Authorization"] == "t2"
    assert json.loads(request.content) == {
        "instruments": [{"exchangeSegment": 1, "exchangeInstrumentID": 2885}],
        "xtsMessageCode": 1501,
    }
    assert socket.events == [Confirmed((KEY,))], "50 is what the table says"
    assert prices(socket) == [1234.5]


@pytest.mark.parametrize(
    ("level", "codes"), [(LTP, [1512, 1512]), (QUOTE, [1501, 1510, 1501]), (DEPTH, [1502, 1510, 1502])]
)
def test_what_expires_has_its_open_interest_beside(level: Level, codes: list[int]) -> None:
    rest, socket = opened(*[reply()] * 3)
    socket.want({KEY: level})
    socket.want({KEY: level, NIFTY: level})
    assert [code for _, code, _ in asked(rest)] == codes


def test_packets_have_no_last_price_of_their_own() -> None:
    """How 1512 is packed is not known (xts.md, 7.5)."""
    rest, socket = opened(reply(), spec=jainamxts.SPEC)
    socket.want({KEY: LTP})
    assert asked(rest) == [("POST", 1501, 1)]


def test_fifty_instruments_go_into_a_request() -> None:
    rest, socket = opened(*[reply()] * 3)
    socket.want({(1, number): QUOTE for number in range(120)})
    assert asked(rest) == [("POST", 1501, 50), ("POST", 1501, 50), ("POST", 1501, 20)]


def test_what_is_left_is_the_limit() -> None:
    _, socket = opened(reply(left=29), reply(left=27), reply(left=26))
    socket.want({KEY: QUOTE})
    assert socket.take_events() == [Confirmed((KEY,)), LimitChanged(30)]
    socket.want({KEY: QUOTE, (1, 1): QUOTE, (1, 2): QUOTE})
    assert not [event for event in socket.take_events() if isinstance(event, LimitChanged)]
    socket.want({KEY: QUOTE, (1, 1): QUOTE, (1, 2): QUOTE, (1, 3): QUOTE})
    assert not [event for event in socket.take_events() if isinstance(event, LimitChanged)]


def test_what_an_earlier_socket_holds_makes_no_limit_smaller() -> None:
    """Two shares and a future, which are asked for in two requests: each counts what the session has in all."""
    wanted: dict[Key, Level] = {KEY: QUOTE, (1, 1): QUOTE, NIFTY: QUOTE}
    there = refusal("e-session-0002", "Instrument Already Subscribed !")
    answers = [there, reply(left=47), there, reply(left=47), there, reply(left=47)]
    for known in (True, False):
        rest, before = opened(*[reply(left=47)] * 3, *answers, puts=(reply(),) * 3)
        before.want(wanted)
        socket = Socket(rest, rmoney.SPEC.streams[0])
        if known:
            socket.codec.follow(before.codec)
        socket.want(wanted)
        socket.receive(*OPENING)
        assert len(rest.sent) == 12
        assert not [event for event in socket.events if isinstance(event, LimitChanged)]


def test_a_full_session_refuses_what_is_too_much() -> None:
    full = refusal("e-session-0004", "limit exceeded")
    _, socket = opened(full, reply(left=0), full)
    socket.want({(1, 1): QUOTE, (1, 2): QUOTE})
    assert socket.events[-1] == Refusal((1, 2), "RMoney: limit exceeded (HTTP 400 e-session-0004)")


def test_after_a_reconnect_a_fresh_snapshot_is_made() -> None:
    rest, socket = opened(
        refusal("e-session-0002", "Instrument Already Subscribed !"), reply(SNAPSHOT), puts=(reply(),)
    )
    socket.want({KEY: QUOTE})
    assert asked(rest) == [("POST", 1501, 1), ("PUT", 1501, 1), ("POST", 1501, 1)]
    assert prices(socket) == [1234.5]


def test_what_was_there_beside_what_is_new_gets_its_snapshot_too() -> None:
    """The answer lists the new ones alone (public programs' tests of December 2025)."""
    beside = reply(left=47)
    beside[1]["result"]["quotesList"] = [{"exchangeSegment": 1, "exchangeInstrumentID": 1}]
    rest, socket = opened(beside, reply(SNAPSHOT, left=47), puts=(reply(),))
    socket.want({KEY: QUOTE, (1, 1): QUOTE})
    assert asked(rest) == [("POST", 1501, 2), ("PUT", 1501, 1), ("POST", 1501, 1)]
    assert prices(socket) == [1234.5]
    assert socket.events[0] == Confirmed(((1, 1),))


@pytest.mark.parametrize("listed", [None, [], ["1_1"], [None, 5]])
def test_a_list_of_what_is_new_that_tells_nothing_costs_no_subscription(listed: Any) -> None:
    answer = reply(SNAPSHOT, left=48)
    answer[1]["result"]["quotesList"] = listed
    rest, socket = opened(answer)
    socket.want({KEY: QUOTE, (1, 1): QUOTE})
    assert asked(rest) == [("POST", 1501, 2)]
    assert socket.events[0] == Confirmed((KEY, (1, 1)))
    assert prices(socket) == [1234.5]


def test_prices_come_by_one_code_whatever_else_the_host_tells() -> None:
    """A book is told as a touchline and as a last price, too (xts.md, 7.3)."""
    _, socket = opened(reply(), reply(), puts=(reply(),))
    socket.want({KEY: DEPTH})
    socket.receive(row(1502, 1.0), row(1501, 2.0), row(1512, 3.0), row(1502, 4.0, (1, 5)))
    assert prices(socket) == [1.0]
    socket.want({KEY: LTP})
    socket.receive(row(1502, 1.0), row(1512, 3.0))
    assert prices(socket) == [3.0]


def test_bands_are_no_prices() -> None:
    _, socket = opened(reply())
    socket.want({KEY: QUOTE})
    socket.receive('42["1105-json-partial","t:1_2885,110:1.5,111:9.5,112:7"]', '42["1507-json-full","{}"]')
    assert (socket.patches, socket.damaged) == ([], [])


def test_changes_follow_the_book_that_was_told_whole() -> None:
    _, socket = opened(reply())
    socket.want({KEY: DEPTH})
    level = {"Size": 221, "Price": 1233.05, "TotalOrders": 7}
    socket.receive(row(1502, 1.0, Bids=[level], Asks=[]), '42["1502-json-partial","t:1_2885,ltp:2,bi:0|9||"]')
    whole, patch = socket.patches
    assert whole.depth is not None
    assert patch.depth is not None
    assert [(each.price, each.quantity) for each in patch.depth.buy] == [(1233.05, 9)]


def test_packets_are_told_and_strange_ones_said_once() -> None:
    _, socket = opened(*[reply()] * 3, spec=jainamxts.SPEC)
    socket.want({KEY: DEPTH, NIFTY: QUOTE})
    strange = packet(1510, bytes(40), key=NIFTY, named=NIFTY)
    for _ in range(2):
        socket.receive(PLACEHOLDER, b"\x04" + packet(1502, book(True), packed=True) + strange)
    assert [patch.fields for patch in socket.patches] == [LIVE, LIVE]
    assert [event for event in socket.events if isinstance(event, Notice)] == [
        Notice("warning", "packets of 1510 with 40 bytes are not known and are skipped")
    ]


def test_a_damaged_event_costs_itself_only() -> None:
    _, socket = opened(reply())
    socket.want({KEY: QUOTE})
    socket.receive(
        PLACEHOLDER, b"\x04" + PLAIN_1501[:60], '42["1501-json-full","{"]', '42["1501-json-full"]',
        '42["xts-binary-packet","text"]', row(1501, 5.0),
    )  # fmt: skip
    assert len(socket.damaged) == 4
    assert prices(socket) == [5.0]


def test_a_damaged_snapshot_costs_itself_only() -> None:
    _, socket = opened(reply("{", SNAPSHOT))
    socket.want({KEY: QUOTE})
    assert prices(socket) == [1234.5]
    assert isinstance(socket.events[-1], Notice)


def test_another_login_takes_the_session() -> None:
    _, socket = opened()
    socket.receive('42["logout","{}"]')
    assert socket.events == [Replaced("another login took this session")]


def test_an_instrument_is_named_by_segment_and_number() -> None:
    name = {"symbol": "X", "brsymbol": "X", "token": "26000"}
    key = rmoney.SPEC.streams[0].key
    assert key(Instrument(exchange=Exchange.NSE_INDEX, brexchange="NSECM", **name)) == (1, 26000)  # type: ignore[arg-type]
    assert key(Instrument(exchange=Exchange.BFO, brexchange="BSEFO", **name)) == (12, 26000)  # type: ignore[arg-type]


async def test_the_broker_holds_what_is_wanted_and_nothing_else() -> None:
    """The last want is left, too, and so is what was released while the socket was down."""
    async with rig_for(rmoney.SPEC, STANDS["rmoney"], World()) as rig:
        share, future, simulator = await rig.share(), await rig.future(), rig.simulator
        assert isinstance(simulator, Xts)

        async def held(*wanted: Instrument) -> None:
            ids = {(each.symbol, each.exchange) for each in wanted}
            await wait_for(lambda: {market.contract.id for market in simulator.subscribed} == ids)

        async with rig.streaming() as feed:
            last, going = feed.want(share), feed.want(future, Mode.QUOTE)
            await held(share, future)
            simulator.faults.max_sockets = 0
            simulator.faults.kill_sockets()
            await feed.state(AccountState.RECONNECTING)
            feed.feed.release(going)
            await wait_for(lambda: "ltp" not in feed.last(future).fields)
            simulator.faults.max_sockets = None
            await held(share)
            await feed.shows(share)
            feed.feed.release(last)
            await held()
            feed.want(share)
            await feed.shows(share)


# --- news of orders ---------------------------------------------------------------------------------------------------

NEWS = {
    "LoginID": "U1", "ClientID": "U1", "AppOrderID": 1110039096, "ExchangeSegment": "NSECM",
    "ExchangeInstrumentID": 2885, "OrderSide": "Buy", "OrderSideAPI": "BUY", "OrderType": "StopLimit",
    "ProductType": "MIS", "TimeInForce": "DAY", "OrderPrice": 1233.0, "OrderQuantity": 10, "OrderStopPrice": 1230.0,
    "OrderStatus": "New", "OrderAverageTradedPrice": "", "OrderAverageTradedPriceAPI": "NaN", "LeavesQuantity": 10,
    "CumulativeQuantity": 0, "OrderDisclosedQuantity": 0, "OrderUniqueIdentifier": "ABCDEFG001",
    "LastUpdateDateTime": "2025-01-01T10:00:15.237162", "CancelRejectReason": "",
}  # fmt: skip
STOP = OrderUpdate(
    order_id="1110039096", brsymbol="", brexchange="NSECM", token="2885", action="BUY", quantity=10,
    status="trigger pending", product="MIS", price_type="SL", price=1233.0, trigger_price=1230.0, pending_quantity=10,
    tag="ABCDEFG001", timestamp=1_735_705_815_237, native={"identifier": "ABCDEFG001", "client": "U1"},
)  # fmt: skip


def heard(*events: tuple[str, Any], client: str = "") -> Socket:
    spec = rmoney.SPEC
    rest = Rest(spec, SECRETS | {"client_code": client}, {})
    socket = Socket(rest, spec.streams[1])
    socket.receive(*OPENING)
    for name, payload in events:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        socket.receive("42" + json.dumps([name, text]))
    return socket


def test_the_interactive_socket_is_asked_for_by_the_token_of_orders() -> None:
    socket = heard()
    assert socket.logged_in
    assert socket.endpoint.url == (
        "wss://xts.rmoneyindia.co.in:3000/interactive/socket.io/?token=t1&userID=U1&apiType=INTERACTIVE"
        "&transport=websocket&EIO=3"
    )


def test_news_of_an_order_and_of_its_trades() -> None:
    trade = NEWS | {"OrderStatus": "PartiallyFilled", "CumulativeQuantity": 4, "LeavesQuantity": 6}
    trade |= {"OrderAverageTradedPrice": "1,233.05", "LastTradedQuantity": 4, "ExecutionID": "5"}
    filled = msgspec.structs.replace(STOP, status="open", filled_quantity=4, pending_quantity=6, average_price=1233.05)
    assert heard(("order", NEWS), ("trade", trade)).events == [STOP, filled]


@pytest.mark.parametrize(
    ("word", "filled", "status"),
    [
        ("PendingNew", 0, "open"), ("New", 0, "open"), ("Replaced", 0, "open"), ("PartiallyFilled", 3, "open"),
        ("PendingCancel", 0, "open"), ("Filled", 10, "complete"), ("Cancelled", 3, "cancelled"),
        ("Rejected", 0, "rejected"), ("Open", 0, "open"),
    ],
)  # fmt: skip
def test_the_words_for_what_an_order_is(word: str, filled: int, status: str) -> None:
    row = NEWS | {"OrderType": "Limit", "OrderStatus": word, "CumulativeQuantity": filled}
    (update,) = heard(("order", row)).events
    assert isinstance(update, OrderUpdate)
    assert (update.status, update.filled_quantity) == (status, filled)


def test_what_a_dealer_hears_of_other_clients_is_none_of_ours() -> None:
    other = NEWS | {"ClientID": "C2"}
    assert heard(("order", other), ("order", NEWS), client="U1").events == [STOP]


def test_positions_are_told_by_trades_and_conversions_make_us_look() -> None:
    told = heard(("position", {}), ("tradeConversion", {"Success": True}), ("warning", "slow"), ("logout", {})).events
    assert told == [BooksChanged(), Notice("info", "warning: slow"), Replaced("another login took this session")]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", json.dumps(NEWS | {"OrderSide": "?"}), json.dumps(NEWS)[:-20]])
def test_damaged_news_are_said_to_be(text: str) -> None:
    assert len(heard(("order", text)).damaged) == 1


@given(st.binary(max_size=60) | st.text(max_size=60), st.sampled_from(["order", "1502-json-full", "xts-binary-packet"]))
def test_whatever_comes_it_is_damage_or_news(payload: Any, name: str) -> None:
    for stream in rmoney.SPEC.streams:
        rest = Rest(rmoney.SPEC, SECRETS, {})
        codec = stream.codec(rest.session, rest.run(stream.open(rest.session, None)), None)  # type: ignore[arg-type]
        try:
            results = list(codec.received(SocketIOEvent(name, (payload,))))
        except DecodeError:
            continue
        assert all(isinstance(result, Patch | OrderUpdate | Notice | LoggedIn) for result in results)


def test_a_plain_message_is_not_of_this_wire() -> None:
    for stream in rmoney.SPEC.streams:
        codec = replace(stream).codec(Rest(rmoney.SPEC, SECRETS, {}).session, None, None)  # type: ignore[arg-type]
        with pytest.raises(DecodeError):
            list(codec.received("text"))
