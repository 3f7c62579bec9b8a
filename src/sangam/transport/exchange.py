"""One HTTP exchange, and what became of it: the pool's own trace tells whether the first byte may have left."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from sangam.brokers.contract import WireRequest
from sangam.model.errors import NotSent, Unknown

CONNECT_TIMEOUT = 5.0


class Unreachable(NotSent):
    """No connection: nothing left this machine."""


class Lost(Unknown):
    """The connection broke before any answer."""


_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
_BROKE = (httpx.NetworkError, httpx.RemoteProtocolError)


class _Journey:
    """Follows one request through the pool (httpcore's trace extension)."""

    def __init__(self) -> None:
        self.sent = False
        self.answered = False

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self.sent = True
        elif event.endswith("receive_response_headers.complete"):
            self.answered = True


async def exchange(client: httpx.AsyncClient, wire: WireRequest, seconds: float, title: str) -> httpx.Response:
    """Send the request and read the whole reply within `seconds`.

    Raises Unreachable where no byte can have left, Lost where the connection broke before an answer, and Unknown for
    everything else that may or may not have reached the broker."""
    journey = _Journey()
    # Well before the deadline: a handshake that is cancelled from outside leaves its socket to the garbage collector.
    connect = min(CONNECT_TIMEOUT, seconds / 2)
    timeout = httpx.Timeout(seconds, connect=connect, pool=connect)
    try:
        async with asyncio.timeout(seconds):
            return await client.request(
                wire.method,
                wire.url,
                headers=dict(wire.headers),
                content=wire.content or None,
                timeout=timeout,
                extensions={"trace": journey},
            )
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        parts = urlsplit(wire.url)
        text = str(error) or type(error).__name__
        if isinstance(error, _NEVER_LEFT) or not journey.sent:
            raise Unreachable(f"{title} cannot be reached at {parts.netloc}: {text}") from error
        kind = Lost if isinstance(error, _BROKE) and not journey.answered else Unknown
        raise kind(f"{title} did not answer {wire.method} {parts.path}: {text}") from error
