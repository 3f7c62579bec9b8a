"""Operations over HTTP, against a real server that answers as it is told, or not at all."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.http_server import SECRET, Answer, Heard, House, HttpServer, get, one, post, session_for
from tests.support import wait_for
from tests.toy_broker import toy_spec

from sangam.brokers.contract import Ctx, Operation, Request, Session, WireRequest
from sangam.model.clock import SystemClock
from sangam.model.errors import BrokerError, NotSent, Refused, SessionExpired, Unknown
from sangam.transport.http import HttpDriver, HttpTiming


@pytest.fixture
async def house() -> AsyncIterator[House]:
    driver = HttpDriver(SystemClock(), HttpTiming(read=0.3, write=0.3, pause=0.02))
    async with HttpServer() as server:
        yield House(server, driver, toy_spec(), session_for(server.port))
        await driver.close()


# --- encoding ---------------------------------------------------------------------------------------------------------


async def test_the_bytes_that_were_authorized_are_the_bytes_that_arrive(house: House) -> None:
    signed: list[WireRequest] = []

    def sign(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
        signed.append(wire)
        assert abs(ctx.now_ms - SystemClock().now_ms()) < 60_000
        assert len(ctx.random(16)) == 16
        return {"X-Signature": str(len(wire.content))}

    spec = replace(house.spec, authorize=sign)
    request = post("/o/M&M:NSE", query={"a": "x y", "b": "ü+&="}, json={"q": 1, "name": "ä", "list": [1, 2]})
    await house.driver.run(spec, house.session, one(request))
    (heard,) = house.server.heard
    assert heard.body == signed[0].content == '{"q":1,"name":"ä","list":[1,2]}'.encode()
    assert heard.headers["x-signature"] == str(len(heard.body))
    assert heard.headers["content-type"] == "application/json"
    url = urlsplit(signed[0].url)
    assert heard.target == f"{url.path}?{url.query}"
    assert url.path == "/base/o/M&M:NSE"


async def test_a_get_may_carry_a_body(house: House) -> None:
    await house.ask(get(json={"exchange": "NSE"}))
    assert house.server.heard[0].method == "GET"
    assert house.server.heard[0].body == b'{"exchange":"NSE"}'


async def test_a_form(house: House) -> None:
    await house.ask(post(form={"symbol": "M&M", "quantity": 5, "note": "a b"}))
    (heard,) = house.server.heard
    assert heard.headers["content-type"] == "application/x-www-form-urlencoded"
    assert heard.body == b"symbol=M%26M&quantity=5&note=a+b"


async def test_a_query_with_repeated_names(house: House) -> None:
    await house.ask(get(query={"i": ["NSE:SBIN", "NSE:M&M"], "n": 2}))
    query = urlsplit(house.server.heard[0].target).query
    assert parse_qsl(query) == [("i", "NSE:SBIN"), ("i", "NSE:M&M"), ("n", "2")]


async def test_ready_made_content_keeps_its_own_type(house: House) -> None:
    await house.ask(post(content=b"\x00\x01", headers={"Content-Type": "application/octet-stream"}))
    (heard,) = house.server.heard
    assert (heard.body, heard.headers["content-type"]) == (b"\x00\x01", "application/octet-stream")


async def test_falsy_json_is_still_a_body(house: House) -> None:
    await house.ask(post(json=[]))
    assert house.server.heard[0].body == b"[]"


async def test_an_empty_post_says_so(house: House) -> None:
    await house.ask(post())
    assert house.server.heard[0].headers["content-length"] == "0"


async def test_public_files_are_asked_for_without_credentials(house: House) -> None:
    await house.ask(get(auth="none"))
    await house.ask(get())
    assert [heard.headers.get("authorization") for heard in house.server.heard] == [None, SECRET]


async def test_a_path_that_no_url_can_carry_is_not_sent(house: House) -> None:
    with pytest.raises(NotSent):
        await house.ask(get("/a\nb"))
    assert not house.server.heard


# --- replies ----------------------------------------------------------------------------------------------------------


async def test_json_text_and_file_replies(house: House) -> None:
    house.server.answer = house.server.json(b'{"a":1}')
    assert await house.ask(get()) == {"a": 1}
    assert await house.ask(get(reply="text")) == '{"a":1}'
    assert await house.ask(get(reply="file")) == b'{"a":1}'


async def test_redirects_are_not_followed(house: House) -> None:
    house.server.answer = house.server.json(b"{}", "302 Found", f"Location: http://127.0.0.1:{house.server.port}/y\r\n")
    with pytest.raises(Unknown, match="302"):
        await house.ask(post(effect="write"))
    assert len(house.server.heard) == 1


async def test_proxies_of_the_environment_are_ignored(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    driver = HttpDriver(SystemClock())
    assert await driver.run(house.spec, house.session, one(get())) == {}
    await driver.close()


async def test_cookies_of_one_account_never_travel_with_another(house: House) -> None:
    house.server.answer = house.server.json(b"{}", extra="Set-Cookie: sid=first-user; Path=/\r\n")
    await house.ask(get())
    other = session_for(house.server.port, "other", "u-other")
    await house.driver.run(house.spec, other, one(get()))
    assert [heard.headers.get("cookie") for heard in house.server.heard] == [None, None]


# --- operations -------------------------------------------------------------------------------------------------------


async def test_an_operation_reads_step_by_step(house: House) -> None:
    async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await house.server.json(b'{"next":"/second"}' if heard.target == "/base/first" else b'{"id":"7"}')(
            heard, writer
        )

    def steps() -> Operation[str]:
        first = yield get("/first")
        second = yield get(first["next"])
        return str(second["id"])

    house.server.answer = answer
    assert await house.driver.run(house.spec, house.session, steps()) == "7"


async def test_an_operation_may_ask_nothing(house: House) -> None:
    def nothing() -> Operation[int]:
        return 5
        yield

    assert await house.driver.run(house.spec, house.session, nothing()) == 5
    assert not house.server.heard


async def test_a_list_is_asked_side_by_side_and_answered_in_order(house: House) -> None:
    both = asyncio.Barrier(2)

    async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await both.wait()
        await house.server.json(f'"{heard.target}"'.encode())(heard, writer)

    def pair() -> Operation[Any]:
        return (yield [get("/a"), get("/b")])

    house.server.answer = answer
    assert await house.driver.run(house.spec, house.session, pair()) == ["/base/a", "/base/b"]


async def test_a_list_that_fails_leaves_no_request_behind(house: House) -> None:
    finished: list[str] = []

    async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
        if heard.target.endswith("/bad"):
            await house.server.json(b"{}", "500 Internal Server Error")(heard, writer)
            return
        await asyncio.sleep(0.1)
        await house.server.json(b"{}")(heard, writer)
        finished.append(heard.target)

    def pair() -> Operation[Any]:
        return (yield [get("/bad"), get("/slow")])

    house.server.answer = answer
    with pytest.raises(Unknown, match="500"):
        await house.driver.run(house.spec, house.session, pair())
    assert finished == ["/base/slow"]


async def test_errors_are_thrown_into_the_operation(house: House) -> None:
    house.server.answer = house.server.json(b"", "503 Service Unavailable")

    def forgiving() -> Operation[str]:
        try:
            yield get("/a")
        except Unknown as error:
            house.server.answer = house.server.json(b'"second"')
            return f"{error}, then {(yield get('/b'))}"
        return "never"

    assert await house.driver.run(house.spec, house.session, forgiving()) == "HTTP 503, then second"


async def test_an_error_that_the_operation_does_not_read_reaches_the_caller(house: House) -> None:
    house.server.answer = house.server.json(b"{}", "401 Unauthorized")
    with pytest.raises(SessionExpired, match="token rejected"):
        await house.ask(get())


# --- what became of it ------------------------------------------------------------------------------------------------


async def test_nobody_listening_is_not_sent(house: House) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(NotSent, match=f"Toy Broker cannot be reached at 127.0.0.1:{port}") as told:
        await house.driver.run(house.spec, session_for(port), one(post(effect="write")))
    assert not told.value.sent


async def _reset(heard: Heard, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _half(heard: Heard, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()


async def _nonsense(heard: Heard, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n")


async def _silence(heard: Heard, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(5)


@pytest.mark.parametrize("answer", [_reset, _half, _nonsense, _silence, HttpServer.json(b"<html>")])
async def test_whatever_happens_after_the_first_byte_is_unknown_and_never_repeated(
    house: House, answer: Answer
) -> None:
    house.server.answer = answer
    with pytest.raises(Unknown) as told:
        await house.ask(post(effect="write"))
    assert told.value.sent
    assert not isinstance(told.value, Refused)
    assert len(house.server.heard) == 1


async def test_bytes_that_trickle_do_not_outlive_the_deadline(house: House) -> None:
    async def trickle(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(200):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    house.server.answer = trickle
    started = asyncio.get_running_loop().time()
    with pytest.raises(Unknown, match="did not answer GET /base/x"):
        await house.ask(get())
    assert asyncio.get_running_loop().time() - started < 2.0


async def test_a_cancelled_caller_leaves_nothing_running(house: House) -> None:
    house.server.answer = _silence
    task = asyncio.create_task(house.ask(get()))
    await wait_for(lambda: house.server.heard, what="request")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    house.server.answer = house.server.json(b"1")
    assert await house.ask(get()) == 1


async def test_secrets_appear_in_no_line_and_no_error(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sangam")
    errors: list[BrokerError] = []
    for answer in (house.server.json(b'{"token":"%s"}' % SECRET.encode()), house.server.json(SECRET.encode()), _reset):
        house.server.answer = answer
        try:
            await house.ask(post(query={"token": SECRET}, form={"token": SECRET}))
        except BrokerError as error:
            errors.append(error)
    assert len(errors) == 2
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("sangam")]
    assert len(lines) == 4, "the call that was reset is repeated"
    assert "POST /x" in lines[0]
    assert not [text for text in [*lines, *map(str, errors)] if SECRET in text]
