"""Operations over HTTP, against a real server that answers as it is told, or not at all."""

import asyncio
import itertools
import logging
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.http_server import SECRET, Answer, Heard, House, HttpServer, get, one, post, proxying, session_for
from tests.support import wait_for
from tests.toy_broker import toy_spec

from sangam.brokers.contract import Ctx, Limit, Operation, Request, Session, WireRequest
from sangam.logs import HumanFormatter, correlated
from sangam.model.clock import SystemClock
from sangam.model.errors import BrokerError, NotSent, RateLimited, Refused, SessionExpired, Unknown
from sangam.transport import pools
from sangam.transport.breaker import THRESHOLD
from sangam.transport.http import HttpDriver, HttpTiming


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with HttpServer() as server, driven(HttpTiming(pause=0.02)) as driver:
        yield House(server, driver, toy_spec(), session_for(server.port))


@asynccontextmanager
async def driven(timing: HttpTiming) -> AsyncIterator[HttpDriver]:
    driver = HttpDriver(SystemClock(), timing)
    yield driver
    await driver.close()


QUICK = HttpTiming(read=1.0, write=1.0)
"""Only where the answer does not come in time: a second is long enough to connect on a busy machine."""


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
    async with driven(QUICK if answer is _silence else HttpTiming()) as driver:
        with pytest.raises(Unknown) as told:
            await house._replace(driver=driver).ask(post(effect="write"))
    assert told.value.sent
    assert not isinstance(told.value, Refused)
    assert len(house.server.heard) == 1


async def test_bytes_that_trickle_do_not_outlive_the_deadline(house: House) -> None:
    async def trickle(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(400):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    house.server.answer = trickle
    started = asyncio.get_running_loop().time()
    async with driven(QUICK) as driver:
        with pytest.raises(Unknown, match="did not answer GET /base/x: timed out"):
            await house._replace(driver=driver).ask(get())
    assert asyncio.get_running_loop().time() - started < 6.0


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


# --- reads: shared, repeated ------------------------------------------------------------------------------------------


async def test_equal_reads_share_one_call_and_nobody_sees_anothers_payload(house: House) -> None:
    go = asyncio.Event()

    async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        await house.server.json(b'{"rows":[1]}')(heard, writer)

    house.server.answer = answer
    tasks = [asyncio.create_task(house.ask(get("/quote", query={"i": "SBIN"}))) for _ in range(5)]
    await wait_for(lambda: house.server.heard, what="request")
    tasks[0].cancel()
    go.set()
    payloads = await asyncio.gather(*tasks[1:])
    payloads[0]["rows"].append(2)
    assert payloads[1:] == [{"rows": [1]}] * 3
    assert len(house.server.heard) == 1
    assert house.driver.trace.shared["toy"] == 4
    assert house.driver.trace.calls == {("toy", "ok"): 1}
    assert tasks[0].cancelled()


async def test_an_error_is_shared_too(house: House) -> None:
    house.server.answer = house.server.json(b"{}", "500 Internal Server Error")
    results = await asyncio.gather(*(house.ask(get()) for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["HTTP 500"] * 3
    assert len(house.server.heard) == 1


async def test_what_differs_in_anything_is_asked_by_itself(house: House) -> None:
    other = session_for(house.server.port, "other", "u-other")
    await asyncio.gather(
        house.ask(get()),
        house.ask(get("/y")),
        house.ask(get(query={"a": 1})),
        house.ask(get(json={"a": 1})),
        house.ask(get(headers={"X-A": "1"})),
        house.ask(get(auth="none")),
        house.ask(post()),
        house.driver.run(house.spec, other, one(get())),
        house.driver.run(house.spec, msgspec.structs.replace(house.session, generation=2), one(get())),
    )
    assert len(house.server.heard) == 9


async def test_equal_writes_are_two_writes(house: House) -> None:
    await asyncio.gather(*(house.ask(post(effect="write")) for _ in range(3)))
    assert len(house.server.heard) == 3


async def test_a_read_whose_connection_broke_is_asked_once_more(house: House) -> None:
    async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await (_reset if len(house.server.heard) == 1 else house.server.json(b"1"))(heard, writer)

    house.server.answer = answer
    assert await house.ask(get()) == 1
    assert len(house.server.heard) == 2
    assert house.driver.trace.calls == {("toy", "OUTCOME_UNKNOWN"): 1, ("toy", "ok"): 1}


async def test_a_repeated_read_is_signed_anew(house: House) -> None:
    signed = itertools.count(1)
    spec = replace(house.spec, authorize=lambda *_: {"X-Nonce": str(next(signed))})

    async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await (_reset if len(house.server.heard) == 1 else house.server.json(b"1"))(heard, writer)

    house.server.answer = answer
    await house.driver.run(spec, house.session, one(get()))
    assert [heard.headers["x-nonce"] for heard in house.server.heard] == ["1", "2"]


# --- manners ----------------------------------------------------------------------------------------------------------


async def test_a_refused_session_sends_nothing_more_until_the_next_login(house: House) -> None:
    house.server.answer = house.server.json(b"{}", "401 Unauthorized")
    for _ in range(3):
        with pytest.raises(SessionExpired):
            await house.ask(get())
    with pytest.raises(SessionExpired):
        await house.ask(post(effect="write"))
    assert len(house.server.heard) == 1
    house.server.answer = house.server.json(b"7")
    renewed = msgspec.structs.replace(house.session, generation=2)
    assert await house.driver.run(house.spec, renewed, one(get())) == 7


@pytest.mark.parametrize(("auth", "told"), [("default", True), ("body", True), ("market", False)])
async def test_a_session_is_refused_with_the_credential_that_proves_it_or_with_all_of_them(
    house: House, auth: str, told: bool
) -> None:
    """Where a refusal stops whatever is asked, the session is over, whichever credential its proof would show."""
    login = replace(house.spec.login, check=lambda session, ctx: one(get(auth="body")))
    house = house._replace(spec=replace(house.spec, login=login))
    assert house.driver.refusal(house.spec, house.session) is None
    house.server.answer = house.server.json(b"{}", "401 Unauthorized")
    with pytest.raises(SessionExpired):
        await house.ask(get(auth=auth))
    assert (house.driver.refusal(house.spec, house.session) is not None) is told


async def test_calls_wait_for_the_brokers_limits_and_are_refused_where_that_takes_too_long(house: House) -> None:
    spec = replace(house.spec, limits=(Limit("quote", 2, 0.05), Limit("orders", 1, 60.0)))
    driver = HttpDriver(SystemClock())
    await asyncio.gather(*(driver.run(spec, house.session, one(get(f"/{n}", lane="quote"))) for n in range(4)))
    waits = driver.trace.waits["toy", "quote"]
    assert waits.count == 2
    assert waits.seconds > 0.25
    await driver.run(spec, house.session, one(post(effect="write", lane="orders")))
    with pytest.raises(RateLimited) as told:
        await driver.run(spec, house.session, one(post(effect="write", lane="orders")))
    assert not told.value.sent
    assert len(house.server.heard) == 5
    await driver.close()


async def test_each_account_has_its_own_limits(house: House) -> None:
    spec = replace(house.spec, limits=(Limit("quote", 1, 60.0),))
    other = session_for(house.server.port, "other", "u-other")
    await house.driver.run(spec, house.session, one(get(lane="quote")))
    assert await house.driver.run(spec, other, one(get(lane="quote"))) == {}


async def test_the_reserve_is_for_what_may_not_wait(house: House) -> None:
    spec = replace(house.spec, limits=(Limit("orders", 2, 60.0, reserve=1),))
    order = post(effect="write", lane="orders")
    await house.driver.run(spec, house.session, one(order))
    with pytest.raises(RateLimited):
        await house.driver.run(spec, house.session, one(order))
    assert await house.driver.run(spec, house.session, one(order), urgent=True) == {}


async def test_a_broker_that_fails_again_and_again_is_left_alone_for_a_while(house: House) -> None:
    house.server.answer = house.server.json(b"{}", "503 Service Unavailable")
    for number in range(20):
        with pytest.raises(BrokerError):
            await house.ask(get(f"/{number}"))
    assert len(house.server.heard) == THRESHOLD
    with pytest.raises(NotSent, match="did not answer several times"):
        await house.ask(get())
    with pytest.raises(Unknown):
        await house.driver.run(house.spec, house.session, one(post(effect="write")), urgent=True)


# --- connections ------------------------------------------------------------------------------------------------------


async def test_reads_share_a_connection_and_writes_have_their_own(house: House) -> None:
    for _ in range(3):
        await house.ask(get())
        await house.ask(post(effect="write"))
    assert house.server.connections == 2


async def test_a_connection_that_idled_too_long_carries_no_write(house: House) -> None:
    spec = replace(house.spec, idle_reuse=0.05)
    for _ in range(2):
        await house.driver.run(spec, house.session, one(post(effect="write")))
    assert house.server.connections == 1
    await wait_for(lambda: (house.driver.idle(spec, house.session) or 0.0) > 0.06, what="idle")
    await house.driver.run(spec, house.session, one(post(effect="write")))
    assert house.server.connections == 2


async def test_a_connection_that_the_broker_closed_meanwhile_carries_no_write(house: House) -> None:
    async def last_word(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await house.server.json(b"{}")(heard, writer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    house.server.answer = last_word
    for _ in range(5):
        await house.ask(post(effect="write"))
        await asyncio.sleep(0.005)  # the goodbye is on its way to us
    assert len(house.server.heard) == house.server.connections == 5


@pytest.mark.skipif(sys.platform != "linux", reason="other systems answer to 127.0.0.1 only")
async def test_each_account_leaves_from_its_own_address(house: House) -> None:
    for egress in ("", "127.0.0.2", "127.0.0.3"):
        session = msgspec.structs.replace(house.session, egress=egress)
        await house.driver.run(house.spec, session, one(get()))
        await house.driver.run(house.spec, session, one(post(effect="write")))
    assert house.server.peers == ["127.0.0.1"] * 2 + ["127.0.0.2"] * 2 + ["127.0.0.3"] * 2


async def test_an_account_may_leave_by_a_proxy(house: House) -> None:
    async with proxying() as proxy:
        session = msgspec.structs.replace(house.session, egress=f"http://me:pass@127.0.0.1:{proxy.port}")
        await house.driver.run(house.spec, session, one(get()))
        assert len(proxy.heard) == 1
        assert "Proxy-Authorization: Basic bWU6cGFzcw==" in proxy.heard[0]
        await house.ask(get())
        assert len(proxy.heard) == 1


async def test_reads_offer_http_2_and_writes_never_do(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = self_signed()
    fresh = cache(pools.tls.__wrapped__)  # the process keeps its own
    monkeypatch.setattr(pools, "tls", fresh)
    chosen: list[str | None] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chosen.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        writer.transport.abort()

    (tmp_path / "server.pem").write_bytes(key + certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    for writes in (False, True):
        fresh(writes).load_verify_locations(cadata=certificate.decode())
    port = server.sockets[0].getsockname()[1]
    session = msgspec.structs.replace(house.session, hosts={"api": f"https://127.0.0.1:{port}"})
    async with driven(HttpTiming()) as driver:
        for request in (post(effect="write"), get()):
            with pytest.raises(Unknown):
                await driver.run(house.spec, session, one(request))
    server.close()
    assert chosen == ["http/1.1", "h2", "h2"]


def self_signed() -> tuple[bytes, bytes]:
    """A key and a certificate for 127.0.0.1, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    return key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain), certificate.public_bytes(pem)


async def test_a_line_about_a_call_names_the_request_that_caused_it(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "sangam.transport.http")
    caplog.handler.setFormatter(HumanFormatter(coloured=False))
    with correlated("r-7"):
        await house.ask(post("/orders", effect="write"))
        await house.ask(get("/quote"))
    await house.ask(get("/quote"))
    named = [" [r-7] u-toy " in line for line in caplog.text.splitlines()]
    assert named == [True, True, False]
