"""Addresses: whole, and encrypted except on this machine."""

import pytest

from sangam.brokers.hosts import check_url, is_here
from sangam.model.errors import InvalidInput


@pytest.mark.parametrize(
    "url",
    ["https://a.example", "wss://a.example:8443/feed", "http://127.0.0.1:1", "ws://localhost", "tcp://[::1]:1883"],
)
def test_good_ones(url: str) -> None:
    check_url("api", url)


@pytest.mark.parametrize("url", ["http://a.example", "ws://10.0.0.1", "tcp://a.example:1883"])
def test_beyond_this_machine_credentials_travel_encrypted(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"Host 'api' at \S+ must be encrypted"):
        check_url("api", url)


@pytest.mark.parametrize(
    "url",
    [
        "", "a.example", "//a.example", "https://", "file:///etc/passwd", "https://a.example:port", "https://a.example:0",
        "https://a.example:99999", "https://[::1", "https://http://a.example", "https://a example", "https://a.example\n",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="Host 'api' needs a whole URL"):
        check_url("api", url)


def test_this_machine() -> None:
    assert is_here("ws://127.1.2.3:9")
    assert is_here("https://localhost")
    assert not is_here("https://localhost.example")
    assert not is_here("nothing")
