"""A broker of the family is a table that a file could hold."""

import pickle
import tomllib
from typing import Any

import msgspec
import pytest

from sangam.brokers.contract import Limit, Tag
from sangam.brokers.families.tradelab import Member, broker
from sangam.model.enums import Exchange, Mode, Product
from sangam.model.errors import DecodeError

TOML = """
name = "another"
title = "Another"
hosts = { api = "https://trade.example.com", stream = "wss://trade.example.com" }
exchanges = ["NSE", "BSE", "MCX"]
scales = { NSE = 100 }
trades = ["NSE"]
order_terms = { device = "WEB", amo = false }
limits = [{ lane = "orders", count = 5, window = 1.0, reserve = 1 }]
"""


def test_a_table_in_a_file_makes_a_broker() -> None:
    spec = broker(msgspec.convert(tomllib.loads(TOML), Member))
    assert (spec.name, spec.title) == ("another", "Another")
    assert spec.exchanges == {Exchange.NSE, Exchange.BSE, Exchange.MCX}
    (stream,) = spec.streams
    assert stream.carries.exchanges == {Exchange.NSE}, "a price of unknown scale is not streamed"
    assert stream.carries.modes.keys() == set(Mode)
    assert stream.carries.orders
    assert spec.limits == (Limit("orders", 5, 1.0, reserve=1),)
    assert spec.trading is not None
    assert spec.trading.products == {Exchange.NSE: {Product.CNC, Product.MIS}}
    assert spec.trading.tag == Tag()
    assert (spec.login.steps, spec.data, spec.session_ends) == (None, None, "")


def told(**more: Any) -> Member:
    return msgspec.convert(tomllib.loads(TOML) | more, Member)


def test_what_reads_the_contract_file_goes_to_another_process() -> None:
    parse = broker(told()).instruments.parse
    with pytest.raises(DecodeError, match="Another's"):
        list(pickle.loads(pickle.dumps(parse))([b""]))  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"hosts": {"api": "https://trade.example.com"}}, "no row stream"),
        ({"logins": ["oauth", "channel"]}, "no row channel"),
        ({"exchanges": ["NSE", "NCDEX"]}, "NCDEX has none"),
        ({"scales": {"NFO": 100}}, "NFO, which is none of the exchanges"),
        ({"trades": ["NFO"]}, "NFO, which is none of the exchanges"),
        ({"scales": {"NSE": 0}}, "a scale is above zero"),
        ({"logins": ["password"]}, "password"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(more: dict[str, Any], text: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=text):
        told(**more)


def test_a_name_that_no_table_has_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="host"):
        msgspec.convert({"name": "x", "title": "X", "hosts": {}, "host": "https://example.com"}, Member)
