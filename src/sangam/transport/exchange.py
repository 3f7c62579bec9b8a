"""One HTTP exchange, and what became of it: the pool's own trace tells whether the first byte may have left."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from sangam.brokers.contract import WireRequest
from sangam.model.errors import BrokerError, NotSent, Unknown

CONNECT_TIMEOUT = 5.0
MAX_REPLY = 256 * 1024 * 1024
"""Bytes, unpacked: several times the largest instrument file there is."""


class Answer(NamedTuple):
    """A whole reply; header names in any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


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

    def __init__(self, left: Callable[[], object]) -> None:
        self.sent = False
        self.answered = False
        self._left = left

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self.sent = True
            self._left()
        elif event.endswith("receive_response_headers.complete"):
            self.answered = True


def _nobody() -> None:
    """For whom it does not matter when a request leaves."""


async def exchange(
    client: httpx.AsyncClient, wire: WireRequest, seconds: float, title: str, left: Callable[[], object] = _nobody
) -> Answer:
    """Send the request and read the whole reply within `seconds`; `left` is called when there is a connection and the
    first byte goes.

    Raises Unreachable where no byte can have left, Lost where the connection broke before an answer, and Unknown for
    everything else that may or may not have reached the broker."""
    journey = _Journey(left)
    # Well before the deadline: a handshake that is cancelled from outside leaves its socket to the garbage collector.
    connect = min(CONNECT_TIMEOUT, seconds / 2)
    timeout = httpx.Timeout(seconds, connect=connect, pool=connect)
    try:
        async with (
            asyncio.timeout(seconds),
            client.stream(
                wire.method,
                wire.url,
                headers=dict(wire.headers),
                content=wire.content or None,
                timeout=timeout,
                extensions={"trace": journey},
            ) as response,
        ):
            content = bytearray()
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > MAX_REPLY:
                    raise Unknown(
                        f"{title} answers {wire.method} {urlsplit(wire.url).path} with more than anybody reads"
                    )
            return Answer(response.status_code, response.headers, bytes(content))
    except BrokerError:
        raise
    except Exception as error:  # faults of the libraries below come through httpx as they are
        parts = urlsplit(wire.url)
        late = isinstance(error, TimeoutError | httpx.TimeoutException)
        text = str(error) or ("timed out" if late else type(error).__name__)
        if isinstance(error, _NEVER_LEFT) or not journey.sent:
            raise Unreachable(f"{title} cannot be reached at {parts.netloc}: {text}. Nothing was sent.") from error
        kind = Lost if isinstance(error, _BROKE) and not journey.answered else Unknown
        raise kind(f"{title} did not answer {wire.method} {parts.path}: {text}") from error
