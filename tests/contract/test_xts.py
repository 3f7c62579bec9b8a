"""XTS against its sheet (7.2, 7.3, 7.4, 7.6): REST subscriptions with snapshots, binary Socket.IO events."""

import json
from typing import Any

import pytest
from tests.contract.driver import Rest, Socket
from tests.contract.wire_xts import SPEC, STREAM

from sangam.brokers.contract import Confirmed, LimitChanged, Refusal, Replaced
from sangam.model.enums import Mode
from sangam.model.instrument import Level
from sangam.model.market import Depth, DepthLevel, Patch

OPENING = (
    '0{"sid":"x","upgrades":[],"pingInterval":20000,"pingTimeout":60000}',
    "40",
    r'42["joined","{\"type\":\"success\",\"code\":\"s-socket-0001\",\"description\":\"Socket joined successfully!\"}"]',
)
PLACEHOLDER = '451-["xts-binary-packet",{"_placeholder":true,"num":0}]'
PLAIN_1501 = bytes.fromhex(
    "00dd050100450b000001000100b400dd0504000000000000000000000035641264d39f0500000000000100450b0000aa15ad5400000000dd"
    "00000033333333334493400700000000000a0100009a99999999459340030000000000aa15ad5400000000666666666644934001000000ce"
    "18070055150b0056e4600000000000007f9340aa15ad5400000000782f1c033015f7bfcdcccccccc9793400000000000b893406666666666"
    "3e93409a999999998c934000000000000000000000000001000100"
)
DEFLATED_1501 = bytes.fromhex(
    "01dd050100450b000001000100b4007400bbcbcac28000a629422997e7b382d98c0caedc0c0cab44d78680787781d818045c263bb083e5b9"
    "18191866cd0402d7c90ecc601198da341000aa032a603827c1ce102acacd10f624016245fd640798ba0a7d196603d1effbcf9e0182e9931d"
    "c0f23b263b80f5db4d76009bde0315870246200400"
)
PLAIN_1510 = bytes.fromhex(
    "00e6050200b9880000010001003d00e6050400000000000000000000000100000000000000000000000200b9880000aa15ad540000000001"
    "004b61bc000100906500000000000000bceb6501"
)
LIVE = {
    "bid_size": 221, "bid_price": 1233.05, "ask_size": 266, "ask_price": 1233.4, "timestamp": 1_736_142_418_000,
    "ltp": 1233.1, "last_trade_quantity": 1, "total_buy_quantity": 465102, "total_sell_quantity": 726357,
    "volume": 6349910, "avg_trade_price": 1247.75, "ltt": 1_736_142_418_000,
    "open": 1253.95, "high": 1262.0, "low": 1231.6, "close": 1251.15,
}  # fmt: skip
SNAPSHOT = (
    '{"MessageCode":1501,"ExchangeSegment":1,"ExchangeInstrumentID":2885,"LastTradedPrice":1234.5,'
    '"LastTradedQunatity":1,"TotalBuyQuantity":488449,"TotalSellQuantity":710644,"TotalTradedQuantity":6332534,'
    '"AverageTradedPrice":1247.79,"LastTradedTime":1420629367,"LastUpdateTime":1420629367,'
    '"PercentChange":-1.330775686368546,"Open":1253.95,"High":1262,"Low":1231.6,"Close":1251.15,'
    '"TotalValueTraded":null,"XMarketType":1,"BookType":1}'
)
KEY = (1, 2885)
SUBSCRIPTION = "/apibinarymarketdata/instruments/subscription"


def reply(*snapshots: str, left: int = 47) -> tuple[int, Any]:
    result = {"mdp": 1510, "quotesList": [], "listQuotes": snapshots, "Remaining_Subscription_Count": left}
    return 200, {"type": "success", "code": "s-session-0001", "description": "subscribed!", "result": result}


def refusal(code: str, description: str) -> tuple[int, Any]:
    return 400, {"type": "error", "code": code, "description": description, "result": {}}


def opened(posts: list[Any], puts: list[Any] | None = None) -> tuple[Rest, Socket]:
    rest = Rest(SPEC, {"md_token": "t0"}, {f"POST {SUBSCRIPTION}": posts, f"PUT {SUBSCRIPTION}": puts or []})
    socket = Socket(rest, STREAM)
    socket.receive(*OPENING)
    return rest, socket


def test_subscribes_by_rest_and_takes_the_reply_for_the_snapshot() -> None:
    rest, socket = opened([reply(SNAPSHOT)])
    assert socket.logged_in
    assert socket.endpoint.url.endswith("/apibinarymarketdata/socket.io/?token=t0&userID=C1&publishFormat=JSON"
                                        "&broadcastMode=Full&transport=websocket&EIO=3")  # fmt: skip
    socket.want({KEY: Level(Mode.QUOTE)})
    (request,) = rest.sent
    assert (request.method, request.url) == ("POST", "https://developers.symphonyfintech.in" + SUBSCRIPTION)
    assert request.headers["Authorization"] == "t0"
    assert json.loads(request.content) == {
        "instruments": [{"exchangeSegment": 1, "exchangeInstrumentID": 2885}],
        "xtsMessageCode": 1501,
    }
    assert socket.events == [Confirmed((KEY,)), LimitChanged(48)]
    (patch,) = socket.patches
    assert patch.key == KEY
    assert patch.fields["ltp"] == 1234.5
    assert patch.fields["volume"] == 6332534
    assert patch.fields["ltt"] == 1_736_142_367_000  # 2025-01-06 11:16:07 IST
    assert socket.sent == []


def test_wants_made_before_the_login_go_out_after_it() -> None:
    rest = Rest(SPEC, {"md_token": "t0"}, {f"POST {SUBSCRIPTION}": [reply()]})
    socket = Socket(rest, STREAM)
    socket.want({KEY: Level(Mode.LTP)})
    assert rest.sent == []
    socket.receive(*OPENING)
    assert json.loads(rest.sent[0].content)["xtsMessageCode"] == 1512


@pytest.mark.parametrize("packet", [PLAIN_1501, DEFLATED_1501])
def test_binary_touchline_plain_and_deflated(packet: bytes) -> None:
    _, socket = opened([])
    socket.receive(PLACEHOLDER, b"\x04" + packet)
    assert socket.patches == [Patch(KEY, LIVE)]  # type: ignore[arg-type]


def test_several_packets_in_one_attachment() -> None:
    _, socket = opened([])
    socket.receive(PLACEHOLDER, b"\x04" + DEFLATED_1501 + PLAIN_1510 + PLAIN_1501)
    assert [patch.key for patch in socket.patches] == [KEY, (2, 35001), KEY]
    assert socket.patches[1].fields == {"oi": 12345675}


def test_nested_json_of_the_live_feed() -> None:
    row: dict[str, Any] = {"MessageCode": 1502, "ExchangeSegment": 1, "ExchangeInstrumentID": 2885}
    row |= {"Touchline": {"LastTradedPrice": 1233.1, "LastUpdateTime": 1420629418, "TotalTradedQuantity": 6349910}}
    row |= {"Bids": [{"Size": 221, "Price": 1233.05, "TotalOrders": 7, "BuyBackMarketMaker": 0}]}
    row |= {"Asks": [{"Size": 266, "Price": 1233.4, "TotalOrders": 3, "BuyBackMarketMaker": 0}]}
    _, socket = opened([])
    socket.receive("42" + json.dumps(["1502-json-full", json.dumps(row)]))
    (patch,) = socket.patches
    assert patch.fields == {"ltp": 1233.1, "volume": 6349910, "timestamp": 1_736_142_418_000}
    assert patch.depth == Depth([DepthLevel(1233.05, 221, 7)], [DepthLevel(1233.4, 266, 3)])


def test_levels_change_by_another_message_code() -> None:
    rest, socket = opened([reply(), reply()], [reply(), reply()])
    socket.want({KEY: Level(Mode.LTP)})
    socket.want({KEY: Level(Mode.DEPTH)})
    socket.want({})
    assert [(sent.method, json.loads(sent.content)["xtsMessageCode"]) for sent in rest.sent] == [
        ("POST", 1512),
        ("PUT", 1512),
        ("POST", 1502),
        ("PUT", 1502),
    ]


def test_already_subscribed_is_a_success_and_a_refusal_names_its_reason() -> None:
    _, socket = opened(
        [refusal("e-session-0002", "Instrument Already Subscribed !"), refusal("e-session-0004", "limit exceeded")]
    )
    socket.want({KEY: Level(Mode.QUOTE)})
    assert socket.take_events() == [Confirmed((KEY,))]
    socket.want({KEY: Level(Mode.QUOTE), (2, 35001): Level(Mode.QUOTE)})
    assert socket.take_events() == [Refusal((2, 35001), "limit exceeded")]


def test_another_login_replaces_the_session() -> None:
    _, socket = opened([])
    socket.receive('42["logout","{}"]')
    assert socket.events == [Replaced("another login took this session")]


def test_a_damaged_event_costs_itself_only() -> None:
    _, socket = opened([])
    socket.receive(PLACEHOLDER, b"\x04" + DEFLATED_1501[:60], '42["1501-json-full","{"]', '42["1501-json-full"]')
    socket.receive(PLACEHOLDER, b"\x04" + PLAIN_1501)
    assert len(socket.damaged) == 3
    assert socket.patches == [Patch(KEY, LIVE)]  # type: ignore[arg-type]
