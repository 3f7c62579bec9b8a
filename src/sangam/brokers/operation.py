"""The half of the contract that asks: sessions, requests, and operations as generators of requests."""

from collections.abc import Callable, Generator, Mapping, Sequence
from enum import Enum
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

T = TypeVar("T")


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials an account holds now. `generation` rises at each login (0: what a login is still trying);
    `secrets` never leave the process.

    `secrets` holds what login gave (api_key, access_token, feed_token ...) and what the user stored; `hosts` overrides
    rows of the broker's host table (simulators, host look-ups); `client_id` is the broker's name for the user; `egress`
    is where this account's calls and sockets leave from: a source address, an HTTP proxy's URL, or anywhere."""

    account: str
    broker: str
    generation: int
    client_id: str = ""
    secrets: Mapping[str, str] = {}
    hosts: Mapping[str, str] = {}
    egress: str = ""
    expires_at: int | None = None

    def host(self, row: str, hosts: Mapping[str, str]) -> str:
        """A row of the broker's host table, unless this session has its own."""
        return self.hosts.get(row) or hosts[row]

    def __repr__(self) -> str:
        return f"Session(account={self.account!r}, broker={self.broker!r}, generation={self.generation})"


class Ctx(NamedTuple):
    """What purity may not reach for: the wall clock in epoch milliseconds, and random bytes."""

    now_ms: int
    random: Callable[[int], bytes]


class _Empty(Enum):
    EMPTY = "empty"


EMPTY = _Empty.EMPTY
"""The payload of an answer that means "nothing there" (several brokers answer an empty book with an error)."""


class Request(msgspec.Struct, kw_only=True):
    """One HTTP call. `host` names a row of the host table, or is a whole ``https://`` base; at most one body is set.

    `auth` names the credential that `authorize` should use ("none" for public files, and where the body proves who we
    are): one that the broker refused is used no more, and after "default" none is; `effect` decides whether the driver
    may repeat it (reads) or never (writes: whatever happens but once, the exchange of a login's token too); `lane`
    names the rows of the limit table it counts against."""

    method: Literal["GET", "POST", "PUT", "DELETE", "PATCH"]
    host: str
    path: str
    query: Mapping[str, str | int | Sequence[str]] | None = None
    form: Mapping[str, str | int] | None = None
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = {}
    auth: str = "default"
    effect: Literal["read", "write"] = "read"
    reply: Literal["json", "text", "file"] = "json"
    lane: str = "default"


class WireRequest(msgspec.Struct, frozen=True):
    """A request as it will be sent: the body is encoded once, and `authorize` sees exactly these bytes."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes


class Reply(msgspec.Struct, frozen=True):
    """What came back. `payload` is decoded as the request asked: JSON, text, or the bytes of a file; an error that is
    no JSON is text."""

    status: int
    headers: Mapping[str, str]
    payload: Any


Operation = Generator[Request | list[Request], Any, T]
Authorize = Callable[[Session, Request, WireRequest, Ctx], Mapping[str, str]]
Check = Callable[[Request, Reply], Any]
"""The one place that knows the envelope: returns the payload or EMPTY, or raises a BrokerError. `Refused` only with
evidence; any other failed or odd reply to a write, HTTP 200 included, is `Unknown`."""


def done(value: T) -> Operation[T]:
    """An operation that asks nothing (a stream whose endpoint is known beforehand)."""
    return value
    yield  # makes this function a generator
