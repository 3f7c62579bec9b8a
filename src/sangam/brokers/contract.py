"""What a broker is: tables plus pure functions.

*Operations* are generators that yield `Request`s (or a list of them, run side by side) and receive payloads; they do no
I/O and run under any driver. *Streams* open endpoints and make one *codec* per socket; a codec turns messages into
events and a wanted set into effects. Clock and randomness come in as `Ctx`; credentials and hosts as `Session`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec

from sangam.model.enums import Exchange

from .data import UNLISTED, Candle, Data, Instruments, Interval, RowRefused
from .login import Asks, FieldKind, Grant, Login, LoginField, Redirect, Steps, ended
from .operation import EMPTY, Authorize, Check, Ctx, Operation, Reply, Request, Session, WireRequest, done
from .stream import (
    AuthExpired,
    BaseCodec,
    BooksChanged,
    Call,
    Carries,
    Changes,
    Codec,
    Confirmed,
    Effect,
    Endpoint,
    Event,
    LimitChanged,
    LoggedIn,
    NewsCodec,
    Notice,
    Refusal,
    Replaced,
    Result,
    Send,
    Stream,
    StreamLimits,
    batches,
    news_stream,
)
from .trading import GttDesk, Postback, Tag, Trading, unsigned

__all__ = [
    "EMPTY",
    "UNLISTED",
    "Asks",
    "AuthExpired",
    "Authorize",
    "BaseCodec",
    "BooksChanged",
    "BrokerSpec",
    "Call",
    "Candle",
    "Carries",
    "Changes",
    "Check",
    "Codec",
    "Confirmed",
    "Ctx",
    "Data",
    "Effect",
    "Endpoint",
    "Event",
    "FieldKind",
    "Grant",
    "GttDesk",
    "Instruments",
    "Interval",
    "Limit",
    "LimitChanged",
    "LoggedIn",
    "Login",
    "LoginField",
    "NewsCodec",
    "Notice",
    "Operation",
    "Postback",
    "Redirect",
    "Refusal",
    "Replaced",
    "Reply",
    "Request",
    "Result",
    "RowRefused",
    "Send",
    "Session",
    "Steps",
    "Stream",
    "StreamLimits",
    "Tag",
    "Trading",
    "WireRequest",
    "batches",
    "done",
    "ended",
    "news_stream",
    "unsigned",
]


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most `count` requests of a lane in any `window` seconds; the last `reserve` of them are kept for what may not
    wait (cancels, reductions)."""

    lane: str
    count: Annotated[int, msgspec.Meta(ge=1)]
    window: Annotated[float, msgspec.Meta(gt=0)]
    reserve: Annotated[int, msgspec.Meta(ge=0)] = 0


@dataclass(frozen=True, kw_only=True)
class BrokerSpec:
    """Everything the house knows about a broker.

    `session_ends` and `instruments_ready` are ``HH:MM`` IST: when sessions die, and from when the day's instruments can
    be had (empty: never by the clock, and at any hour). `idle_reuse` is for how many seconds an idle connection is
    trusted with a write. `simulated` marks brokers whose market is our own exchange, `sandbox` those whose orders move
    no money: `sangam verify` tries them unasked, and their accounts may use no other hosts than these, lest practice
    reach the real ones (simulators on this machine may stand in). Without `trading`, orders of a simulated one's
    accounts go to the paper book, and those of others are refused."""

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    hosts: Mapping[str, str]
    exchanges: frozenset[Exchange]
    login: Login
    authorize: Authorize
    check: Check
    streams: tuple[Stream, ...]
    instruments: Instruments
    data: Data | None = None
    trading: Trading | None = None
    limits: tuple[Limit, ...] = ()
    session_ends: str = ""
    instruments_ready: str = ""
    idle_reuse: float = 10.0
    simulated: bool = False
    sandbox: bool = False

    @property
    def streams_market(self) -> bool:
        """Whether it has market data over sockets at all."""
        return any(stream.carries.modes for stream in self.streams)
