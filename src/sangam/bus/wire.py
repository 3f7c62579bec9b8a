"""What gateways and the feed say to each other.

Wants travel on DEALER (gateway) and ROUTER (feed) as batches of the messages below, MessagePack arrays with a tag. Data
travels on PUB and SUB as two frames: the topic's text, and a head of four 64-bit numbers with the payload behind it.
The head counts everything published (a gap is a loss), and names the feed's start, the want and its sequence."""

from __future__ import annotations

import struct
from typing import NamedTuple

import msgspec

from sangam.feed.port import AccountHealth, Dialect
from sangam.model.enums import Mode
from sangam.model.errors import DecodeError
from sangam.model.histogram import Histogram
from sangam.model.identity import Identity
from sangam.model.order import OrderNews

LEASE_SECONDS = 10.0
"""A gateway that is silent for so long holds no want any more."""
BEAT_SECONDS = 1.0
"""How often each side is heard at least."""
ACT_SECONDS = 3.0
"""An order action that lay between the processes for longer is not begun: prices have moved on."""

# --- from a gateway ---------------------------------------------------------------------------------------------------


class Ask(msgspec.Struct, frozen=True, array_like=True, tag="ask"):
    """Listen to an instrument. `id` is the gateway's own number for it."""

    id: int
    account: str
    symbol: str
    exchange: str
    mode: Mode
    depth: int
    dialect: Dialect


class Drop(msgspec.Struct, frozen=True, array_like=True, tag="drop"):
    id: int


class Resync(msgspec.Struct, frozen=True, array_like=True, tag="resync"):
    """Updates were lost: tell the newest of everything asked for."""


class Beat(msgspec.Struct, frozen=True, array_like=True, tag="beat"):
    """Alive; what the gateway counts comes along. It renews the lease."""

    clients: int
    figures: dict[str, float]
    written: Histogram


class Used(msgspec.Struct, frozen=True, array_like=True, tag="used"):
    """An API key opened a session."""

    key_id: str


class Act(msgspec.Struct, frozen=True, array_like=True, tag="act"):
    """An order action of a client, to be begun before `until` (epoch ms) or not at all. `fields` is JSON."""

    id: int
    key_id: str
    action: str
    fields: bytes
    until: int


class Since(msgspec.Struct, frozen=True, array_like=True, tag="since"):
    """Which events came to a key's user after one?"""

    id: int
    key_id: str
    seq: int


class Behind(msgspec.Struct, frozen=True, array_like=True, tag="behind"):
    """Under the lease before, events were heard up to this one: tell all later ones, of everybody."""

    seq: int


Request = Ask | Drop | Resync | Beat | Used | Act | Since | Behind


class Upward(msgspec.Struct, frozen=True, array_like=True):
    """A gateway's batch under the lease it believes to have; 0 before the first. `secret` is what both ends were given
    by their parent: on a loopback port anybody of this machine may knock."""

    gateway: str
    lease: int
    items: list[Request]
    secret: str = ""


# --- from the feed ----------------------------------------------------------------------------------------------------


class Welcome(msgspec.Struct, frozen=True, array_like=True, tag="welcome"):
    """A lease; nothing is held under it yet. `start` names this start of the feed, `data` where its PUB is bound."""

    start: int
    data: str
    brokers: list[str]


class Served(msgspec.Struct, frozen=True, array_like=True, tag="served"):
    """An `Ask` is granted or, with a reason, pending. `payload` is the newest one that may be shown, `seq` its number;
    data comes under `want`."""

    id: int
    want: int
    mode: Mode
    depth: int
    seq: int
    payload: bytes | None = None
    reason: str = ""


class Newest(msgspec.Struct, frozen=True, array_like=True, tag="newest"):
    """The answer to a `Resync`, for each want that may be shown."""

    want: int
    seq: int
    payload: bytes


class Refusal(msgspec.Struct, frozen=True, array_like=True, tag="refusal"):
    """An `Ask` is refused. `taken` says that it was granted or pending before, so that it is still held."""

    id: int
    code: str
    reason: str
    taken: bool


class Lapsed(msgspec.Struct, frozen=True, array_like=True, tag="lapsed"):
    """What was published of a want up to `seq` may not be shown as current any more."""

    want: int
    seq: int


class States(msgspec.Struct, frozen=True, array_like=True, tag="states"):
    """The health of accounts, newly changed or all."""

    accounts: list[AccountHealth]


class Order(msgspec.Struct, frozen=True, array_like=True, tag="order"):
    news: OrderNews


class Keys(msgspec.Struct, frozen=True, array_like=True, tag="keys"):
    """All valid API keys: their hashes under `pepper`, and whom they name."""

    pepper: bytes
    identities: dict[bytes, Identity]


class Acted(msgspec.Struct, frozen=True, array_like=True, tag="acted"):
    """An `Act` was carried out; `body` is the JSON object of its reply."""

    id: int
    body: bytes


class Failed(msgspec.Struct, frozen=True, array_like=True, tag="failed"):
    """An `Act` or `Since` was not; `body` is a JSON object with code, message and what else is known."""

    id: int
    body: bytes


class Replayed(msgspec.Struct, frozen=True, array_like=True, tag="replayed"):
    """The answer to a `Since`: the oldest events first, and the newest number there is."""

    id: int
    newest: int
    events: list[OrderNews]


class Missed(msgspec.Struct, frozen=True, array_like=True, tag="missed"):
    """The answer to `Behind`, in parts; `more` says that another part follows."""

    events: list[OrderNews]
    more: bool


Answer = Welcome | Served | Newest | Refusal | Lapsed | States | Order | Keys | Acted | Failed | Replayed | Missed


class Downward(msgspec.Struct, frozen=True, array_like=True):
    lease: int
    items: list[Answer]


# --- bytes ------------------------------------------------------------------------------------------------------------

encode = msgspec.msgpack.Encoder().encode
_upward = msgspec.msgpack.Decoder(Upward)
_downward = msgspec.msgpack.Decoder(Downward)
_DAMAGE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_head = struct.Struct("<QQQQ")

BEAT_TOPIC = b"!"
"""Published without a payload: whoever hears it is connected, and knows how much was published before."""


class Update(NamedTuple):
    """One published message: `number` counts all of this `start`."""

    number: int
    start: int
    want: int
    seq: int
    payload: bytes


def decode_upward(data: bytes) -> Upward:
    """Raises DecodeError."""
    try:
        return _upward.decode(data)
    except _DAMAGE as error:
        raise DecodeError(f"no message of a gateway: {error}") from error


def decode_downward(data: bytes) -> Downward:
    """Raises DecodeError."""
    try:
        return _downward.decode(data)
    except _DAMAGE as error:
        raise DecodeError(f"no message of a feed: {error}") from error


def encode_update(number: int, start: int, want: int, seq: int, payload: bytes) -> bytes:
    return _head.pack(number, start, want, seq) + payload


def decode_update(data: bytes) -> Update:
    """Raises DecodeError."""
    if len(data) < _head.size:
        raise DecodeError(f"an update of {len(data)} bytes has no head")
    number, start, want, seq = _head.unpack_from(data)
    return Update(number, start, want, seq, data[_head.size :])
