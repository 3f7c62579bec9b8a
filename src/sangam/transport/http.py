"""Runs operations over HTTP: encodes each body once, signs those bytes, and says honestly what became of a request.

`encode` is pure and usable by any driver; `HttpDriver` is the server's asynchronous one. Writes are never repeated."""

import asyncio
import logging
import os
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec

from sangam.brokers.contract import BrokerSpec, Ctx, Operation, Reply, Request, Session, WireRequest
from sangam.model.clock import Clock
from sangam.model.errors import BrokerError, NotSent, Unknown

T = TypeVar("T")

CONNECT_TIMEOUT = 5.0
TOTAL_DEADLINE = 30.0
POOL = httpx.Limits(max_connections=100, max_keepalive_connections=20)

log = logging.getLogger("sangam.transport.http")

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)


def base_url(spec: BrokerSpec, session: Session, host: str) -> str:
    """A row of the host table, as the session overrides it; a whole URL stands for itself."""
    if "://" in host:
        return host
    return session.host(host, spec.hosts)


def encode(spec: BrokerSpec, session: Session, request: Request, ctx: Ctx) -> WireRequest:
    """The request as it will be sent, with the headers that `authorize` made from exactly these bytes.

    Raises NotSent where a header cannot be written: a credential that was pasted with a line break, for example."""
    url = base_url(spec, session, request.host).rstrip("/") + request.path
    if request.query:
        url += "?" + urlencode(request.query, doseq=True)
    headers = dict(request.headers)
    content = b""
    if request.json is not None:
        content = msgspec.json.encode(request.json)
        headers.setdefault("Content-Type", "application/json")
    elif request.form is not None:
        content = urlencode(request.form).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    elif request.content is not None:
        content = request.content
    wire = WireRequest(request.method, url, headers, content)
    if request.auth == "none":
        return wire
    headers |= spec.authorize(session, request, wire, ctx)
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            raise NotSent(f"{spec.title}: the header {name} has characters that HTTP cannot carry. Log in again.")
    return msgspec.structs.replace(wire, headers=headers)


def decode(request: Request, status: int, headers: Mapping[str, str], content: bytes) -> Reply:
    """The reply as the request asked for it. A good status with an unreadable body is Unknown, never a success."""
    payload: Any
    if request.reply == "file":
        payload = content
    elif request.reply == "text":
        payload = content.decode("utf-8", "replace")
    else:
        try:
            payload = msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if status < 400:
                raise Unknown(f"{request.method} {request.path}: unreadable reply ({error})") from error
            payload = None
    return Reply(status, headers, payload)


class HttpDriver:
    """One pooled client for all accounts. `run` drives an operation to its result or raises a BrokerError."""

    def __init__(self, clock: Clock, deadline: float = TOTAL_DEADLINE) -> None:
        self._clock = clock
        self._deadline = deadline
        self._client = httpx.AsyncClient(
            http2=True,
            limits=POOL,
            timeout=httpx.Timeout(deadline, connect=CONNECT_TIMEOUT),
            follow_redirects=False,
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # accounts share the pool, never a cookie
        )

    def ctx(self) -> Ctx:
        return Ctx(self._clock.now_ms(), os.urandom)

    async def run(self, spec: BrokerSpec, session: Session, operation: Operation[T]) -> T:
        """Drive an operation; its errors are thrown into it first, so that it may read an answer into them."""
        answer: Any = None
        error: BrokerError | None = None
        while True:
            try:
                step = operation.send(answer) if error is None else operation.throw(error)
            except StopIteration as stop:
                value: T = stop.value
                return value
            answer, error = None, None
            try:
                if isinstance(step, list):
                    answer = await self._ask_all(spec, session, step)
                else:
                    answer = await self._ask(spec, session, step)
            except BrokerError as caught:
                error = caught

    async def _ask_all(self, spec: BrokerSpec, session: Session, requests: list[Request]) -> list[Any]:
        """Side by side; nothing is left in flight when one of them fails."""
        asked = (self._ask(spec, session, request) for request in requests)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers

    async def _ask(self, spec: BrokerSpec, session: Session, request: Request) -> Any:
        wire = encode(spec, session, request, self.ctx())
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._deadline):
                response = await self._client.request(
                    wire.method, wire.url, headers=dict(wire.headers), content=wire.content or None
                )
        except _NEVER_LEFT as error:
            raise NotSent(f"{spec.title} cannot be reached at {urlsplit(wire.url).netloc}: {_text(error)}") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unknown(f"{spec.title} did not answer {request.method} {request.path}: {_text(error)}") from error
        finally:
            elapsed = (self._clock.monotonic() - started) * 1000
            log.debug("%s %s %s: %.0f ms", spec.name, request.method, request.path, elapsed)
        reply = decode(request, response.status_code, response.headers, response.content)
        return spec.check(request, reply)

    async def close(self) -> None:
        await self._client.aclose()


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
