"""The paper socket: JSON text both ways, one key in each server message.

Out: ``{"sub": [[token, mode], ...]}`` (again for another mode) and ``{"unsub": [token, ...]}``. In: `ok`, `refused`,
`ticks` (rows of token, fields and in mode 3 both sides of the book), `hb` each second, `order`."""

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlencode

import msgspec

from sangam.brokers.contract import (
    BaseCodec,
    Carries,
    Codec,
    Confirmed,
    Ctx,
    Endpoint,
    Operation,
    Refusal,
    Result,
    Send,
    Session,
    Stream,
    StreamLimits,
    batches,
    done,
)
from sangam.brokers.wire import Message
from sangam.model.enums import Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Depth, DepthLevel, Fields, Key, Patch
from sangam.model.order import OrderUpdate

from .tables import EXCHANGES, HOSTS

BATCH = 500

_Rows = list[tuple[float, int, int]]


class Tick(msgspec.Struct, array_like=True):
    """What the wire tells of one instrument."""

    token: str
    fields: Fields
    buy: _Rows | None = None
    sell: _Rows | None = None


class _Message(msgspec.Struct):
    ticks: list[Tick] = []
    ok: list[str] = []
    refused: list[tuple[str, str]] = []
    order: OrderUpdate | None = None


_decode = msgspec.json.Decoder(_Message).decode


class PaperCodec(BaseCodec):
    """Keys are the exchange's tokens (str)."""

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        added, changed, removed = self.changes(wanted)
        for keys in batches(removed, BATCH):
            yield Send(_text({"unsub": keys}))
        for keys in batches([*added, *changed], BATCH):
            yield Send(_text({"sub": [(key, int(wanted[key].mode)) for key in keys]}), tuple(keys))

    def received(self, message: Message) -> Iterable[Result]:
        if not isinstance(message, (str, bytes)):
            raise DecodeError(f"a {type(message).__name__} is not a message of this wire")
        try:
            said = _decode(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise DecodeError(f"unreadable message: {error}") from error
        results: list[Result] = [patch(tick, tick.token) for tick in said.ticks]
        if said.ok:
            results.append(Confirmed(tuple(said.ok)))
        results += [Refusal(token, reason) for token, reason in said.refused]
        if said.order is not None:
            results.append(said.order)
        return results


def _text(request: Mapping[str, object]) -> str:
    return msgspec.json.encode(request).decode()


def patch(tick: Tick, key: Key) -> Patch:
    depth = None
    if tick.buy is not None and tick.sell is not None:
        depth = Depth([DepthLevel(*row) for row in tick.buy], [DepthLevel(*row) for row in tick.sell])
    return Patch(key, tick.fields, depth, True)


def _open(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    base = session.host("stream", HOSTS)
    return done(Endpoint(url=f"{base}/stream?{urlencode({'token': session.secrets['access_token']})}"))


def _codec(session: Session, endpoint: Endpoint, ctx: Ctx) -> Codec:
    return PaperCodec()


def _key(instrument: Instrument) -> str:
    return instrument.token


STREAM = Stream(
    name="stream",
    carries=Carries(modes={Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)}, exchanges=EXCHANGES, orders=True),
    open=_open,
    codec=_codec,
    key=_key,
    limits=StreamLimits(symbols_per_socket=3000, sockets=3),
    opens="with_session",
    silence=5.0,
)
