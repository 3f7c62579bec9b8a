"""Requests become bytes, and bytes replies, without any I/O; test_transport_http shows what arrives at a server."""

import pytest
from tests.http_server import CTX, get, post, session_for
from tests.toy_broker import toy_spec

from sangam.brokers.contract import Reply
from sangam.model.errors import NotSent, Unknown
from sangam.transport.encoding import base_url, decode, encode


def test_hosts_come_from_the_session_then_the_table_or_stand_for_themselves() -> None:
    spec = toy_spec()
    assert base_url(spec, session_for(5), "api") == "http://127.0.0.1:5/base/"
    assert base_url(spec, session_for(5), "stream") == "ws://127.0.0.1:1"
    assert base_url(spec, session_for(5), "https://files.example.com") == "https://files.example.com"


@pytest.mark.parametrize("token", ["abc\n", "ab\r\nX-Other: 1", "tökén", " abc"])
def test_a_credential_that_no_header_can_carry_is_refused_before_sending(token: str) -> None:
    with pytest.raises(NotSent, match="Authorization") as told:
        encode(toy_spec(), session_for(1, token), get(), CTX)
    assert token.strip() not in str(told.value)


@pytest.mark.parametrize("body", [b"", b"<html>maintenance</html>", b'{"a":', b'{"a":"\xff"}', b"[" * 100_000])
def test_a_good_status_with_an_unreadable_body_is_unknown(body: bytes) -> None:
    with pytest.raises(Unknown, match="POST /x"):
        decode(post(), 200, {}, body)


def test_an_error_that_is_no_json_is_left_to_the_brokers_check_as_text() -> None:
    assert decode(post(), 502, {}, b"<html>\xff") == Reply(502, {}, "<html>\ufffd")
    assert decode(post(), 502, {}, b"[" * 100_000) == Reply(502, {}, "[" * 100_000)
