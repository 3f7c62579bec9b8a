"""A user's adapter as a broker of the house: its program is the line that a socket is elsewhere.

The connection loop, wants, states and payloads are those of every broker. An adapter runs in threads of its own and is
never waited for; whatever it does wrong costs its own accounts. Each attempt to connect is a new instance, and none is
made before all threads of the one before have ended: one that hangs for ever costs three threads, not more each
minute."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any

import msgspec

from sangam.brokers.contract import (
    UNLISTED,
    BaseCodec,
    BrokerSpec,
    Carries,
    Confirmed,
    Ctx,
    Endpoint,
    FieldKind,
    LoggedIn,
    Login,
    LoginField,
    Operation,
    Refusal,
    Result,
    Send,
    Session,
    Stream,
    StreamLimits,
    done,
)
from sangam.brokers.wire import Message
from sangam.bus.ingress import translate
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key, Patch

from .life import Kind, Life, client, dial

LOGIN_TIMEOUT = 30.0
"""Seconds in which an adapter must be up."""
_EXCHANGES = frozenset(Exchange)
_Count = Annotated[int, msgspec.Meta(ge=1)]


def spec(name: str, kind: Kind) -> BrokerSpec:
    """What the house needs to know of a user's adapter. It gives no list of instruments: symbols pass as they are.

    Raises ValidationError where the class says of itself what cannot be."""
    msgspec.convert((kind.MAX_SYMBOLS, *kind.DEPTH_LEVELS), tuple[_Count, ...])
    msgspec.convert(tuple(kind.LOGIN_FIELDS), tuple[str, ...])
    lives: dict[str, list[Life]] = {}

    def open_stream(session: Session, ctx: Ctx) -> Operation[Endpoint]:
        ours = partial(dial, name, kind, session, lives.setdefault(session.account, []))
        return done(Endpoint(url=f"adapter:{name}", dial=ours))

    stream = Stream(
        name="adapter",
        carries=Carries({Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: tuple(kind.DEPTH_LEVELS)}, _EXCHANGES),
        open=open_stream,
        codec=lambda session, endpoint, ctx: HostedCodec(name),
        key=_key,
        limits=StreamLimits(symbols_per_socket=kind.MAX_SYMBOLS, sockets=1),
        login_timeout=LOGIN_TIMEOUT,
    )
    return BrokerSpec(
        name=name,
        title=name.replace("_", " ").title(),
        hosts={},
        exchanges=_EXCHANGES,
        login=Login(tuple(map(_field, kind.LOGIN_FIELDS)), check=lambda session, ctx: done(client(session))),
        authorize=lambda session, request, wire, ctx: {},
        check=lambda request, reply: reply.payload,
        streams=(stream,),
        instruments=UNLISTED,
    )


def _field(name: str) -> LoginField:
    kind = FieldKind.TEXT if name in ("client_id", "user_id") else FieldKind.SECRET
    return LoginField(name, name.replace("_", " "), kind, required=False, daily=name.endswith("_token"))


def _key(instrument: Instrument) -> Key:
    return instrument.symbol, instrument.exchange.value


# --- what it is told, and what it tells -------------------------------------------------------------------------------


class HostedCodec(BaseCodec):
    """Commands are JSON text, ``[verb, symbol, exchange, mode, depth]``. Prices come as bytes, the topic and the JSON
    with a line's end between; all other news as JSON text."""

    def __init__(self, broker: str) -> None:
        super().__init__()
        self._brokers = [broker]

    def opened(self) -> Iterable[Result]:
        return ()

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        before = self.sent
        added, changed, removed = self.changes(wanted)
        # The old mode ends before the new one begins: many adapters' `unsubscribe` ends all of an instrument.
        for key in (*removed, *(key for key in changed if before[key].mode is not wanted[key].mode)):
            yield _said("unsubscribe", key, before[key])
        for key in (*added, *changed):
            yield _said("subscribe", key, wanted[key], (key,))

    def received(self, message: Message) -> Iterable[Result]:
        if isinstance(message, bytes):
            topic, _, row = message.partition(b"\n")
            told = translate([topic, row], self._brokers)
            if told is None:
                raise DecodeError("an adapter's message is no price")
            return (Patch((told.symbol, told.exchange), told.fields, told.depth),)
        match msgspec.json.decode(str(message)):
            case ["opened"]:
                return (LoggedIn(),)
            case ["taken", symbol, exchange]:
                return (Confirmed(((symbol, exchange),)),)
            case ["refused", symbol, exchange, reason]:
                return (Refusal((symbol, exchange), reason),)
        raise DecodeError("unknown news of an adapter")


def _said(verb: str, key: Any, level: Level, keys: tuple[Key, ...] = ()) -> Send:
    return Send(msgspec.json.encode((verb, *key, level.mode, level.depth)).decode(), keys)
