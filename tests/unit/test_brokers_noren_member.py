"""The table of a Noren broker: plain data, from which hosts, exchanges and streams follow."""

import tomllib

import msgspec
import pytest

from sangam.brokers import registry
from sangam.brokers.contract import Limit
from sangam.brokers.families.noren import Member, broker
from sangam.model.enums import Exchange, PriceType, Product

FILE = """
name = "house"
title = "House"
host = "oms.house.example"
root = "NorenWClientTP"
body = "jkey"
exchanges = ["NSE", "NFO", "MCX"]
lacks = ["GTT", "basket margin"]
cooldown = 5
[hosts]
files = "https://files.house.example"
[ticks]
NSE = 0.01
[[limits]]
lane = "orders"
count = 5
window = 1.0
reserve = 1
"""


def test_a_file_can_say_all_of_it() -> None:
    member = msgspec.convert(tomllib.loads(FILE), Member)
    assert member.limits == (Limit("orders", 5, 1.0, reserve=1),)
    spec = broker(member)
    assert spec.hosts == {
        "api": "https://oms.house.example/NorenWClientTP",
        "login": "https://oms.house.example/OAuthlogin/authorize/oauth",
        "files": "https://files.house.example",
        "stream": "wss://oms.house.example/NorenWSAPI/",
    }
    assert spec.exchanges == {Exchange.NSE, Exchange.NFO, Exchange.MCX, Exchange.NSE_INDEX}
    assert spec.streams[0].cooldown == 5
    for wrong in ({"hosst": "x"}, {"lacks": ["everything"]}, {"body": "cookie"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({**tomllib.loads(FILE), **wrong}, Member)


@pytest.mark.parametrize(
    ("name", "api", "stream"),
    [
        ("shoonya", "https://api.shoonya.com/NorenWClientAPI", "wss://api.shoonya.com/NorenWSAPI/"),
        ("finvasia", "https://api.shoonya.com/NorenWClientAPI", "wss://api.shoonya.com/NorenWSAPI/"),
        ("flattrade", "https://piconnect.flattrade.in/PiConnectAPI", "wss://piconnect.flattrade.in/PiConnectWSAPI/"),
        ("zebu", "https://go.mynt.in/NorenWClientAPI", "wss://go.mynt.in/NorenWSAPI/"),
        (
            "tradesmart",
            "https://v2api.tradesmartonline.in/NorenWClientAPIv2",
            "wss://v2api.tradesmartonline.in/NorenWSAPI/",
        ),
    ],
)
def test_where_the_brokers_are(name: str, api: str, stream: str) -> None:
    spec = registry.load()[name]
    assert (spec.hosts["api"], spec.hosts["stream"]) == (api, stream)
    (feed,) = spec.streams
    assert (feed.limits.sockets, feed.opens, feed.carries.orders) == (1, "with_session", True)
    assert feed.cooldown == (5.0 if name == "flattrade" else 0.0)


def test_neither_market_orders_nor_commodities_go_out() -> None:
    """MKT is refused from programs; whether a commodity's quantity is of lots or of units is not told."""
    for name in ("shoonya", "flattrade", "zebu", "tradesmart"):
        trading = registry.load()[name].trading
        assert trading is not None
        assert [kind for kind in PriceType if trading.takes(kind)] == [PriceType.LIMIT, PriceType.SL]
        assert trading.products[Exchange.NFO] == {Product.NRML, Product.MIS}
        assert not {Exchange.MCX, Exchange.NCDEX} & trading.products.keys()


def test_the_budgets_of_a_broker_that_counts_all_routes_together_add_up() -> None:
    limits = registry.load()["tradesmart"].limits
    for window, count in ((1.0, 10), (60.0, 120)):
        assert sum(limit.count for limit in limits if limit.window == window) == count
