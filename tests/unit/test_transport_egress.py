"""Where an account's traffic leaves from, as the user writes it."""

import pytest

from sangam.model.errors import InvalidInput
from sangam.transport.egress import Egress, parse_egress


def test_anywhere() -> None:
    assert parse_egress("") == Egress()
    assert str(parse_egress("")) == "any address"
    assert parse_egress("").local is None


@pytest.mark.parametrize(
    ("text", "address"), [("203.0.113.7", "203.0.113.7"), ("2001:DB8::7", "2001:db8::7"), ("::1", "::1")]
)
def test_a_source_address(text: str, address: str) -> None:
    egress = parse_egress(text)
    assert (egress.address, egress.proxy, egress.local) == (address, None, (address, 0))
    assert str(egress) == address


@pytest.mark.parametrize("text", ["http://proxy.example:3128", "http://user:pa%40ss@10.0.0.2:8080/"])
def test_a_proxy(text: str) -> None:
    egress = parse_egress(text)
    assert (egress.address, egress.proxy, egress.local) == (None, text.rstrip("/"), None)


def test_a_proxys_password_is_not_shown() -> None:
    assert str(parse_egress("http://user:s3cret@proxy.example:3128")) == "the proxy proxy.example:3128"


@pytest.mark.parametrize(
    "text",
    [
        "proxy.example",
        "203.0.113",
        "203.0.113.7:80",
        "socks5://proxy:1080",
        "https://user:s3cret@proxy:3128",
        "http://user:s3cret@proxy",
        "http://proxy:port",
        "http://proxy:99999",
        "http://:3128",
        "http://proxy:3128/path",
        "http://proxy:3128?x=1",
        "http://[::1",
        " ",
    ],
)
def test_all_else_is_refused_without_showing_a_password(text: str) -> None:
    with pytest.raises(InvalidInput, match="IP address of this machine") as told:
        parse_egress(text)
    assert "s3cret" not in str(told.value)
