"""The market feed: one-time addresses, requests as JSON in binary frames, protobuf in return (Upstox docs: Market data
feed V3)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from sangam.brokers.contract import (
    BaseCodec,
    Carries,
    Confirmed,
    Ctx,
    Endpoint,
    Notice,
    Operation,
    Result,
    Send,
    Session,
    Stream,
    StreamLimits,
    batches,
)
from sangam.brokers.wire import Message
from sangam.model.enums import Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Level
from sangam.model.market import Fields, Key, Patch

from .answers import one_time
from .packets import OF_LTPC, patches
from .tables import D30_COST, SEGMENTS, SUBSCRIBE_BATCH, SYMBOLS_PER_SOCKET

LTPC, FULL, D30 = "ltpc", "full", "full_d30"


class FeedCodec(BaseCodec):
    """Keys are instrument keys. The wire confirms nothing, so what was sent counts as taken. Only accounts of the Plus
    plan are told 30 levels; the others' request is not known to be answered at all, so what stays without its first
    message is asked for with five."""

    def __init__(self, guid: str) -> None:
        super().__init__()
        self._guid = guid
        self._light: frozenset[Key] = frozenset()
        """Those of which only LTPC is wanted."""
        self._unheard: dict[Key, int] = {}
        """Of those with 30 levels, and how many heartbeats ago they were asked for."""

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        added, changed, removed = self.changes(wanted)
        self._light = frozenset(key for key, level in wanted.items() if _mode(level) == LTPC)
        for keys in batches(removed, SUBSCRIBE_BATCH):
            yield Send(self._request("unsub", keys))
        for key in (*removed, *changed):
            self._unheard.pop(key, None)
        for method, chosen in (("sub", added), ("change_mode", changed)):
            for mode in (LTPC, FULL, D30):
                for keys in batches([key for key in chosen if _mode(wanted[key]) == mode], SUBSCRIBE_BATCH):
                    yield Send(self._request(method, keys, mode), tuple(keys))
                    yield Confirmed(tuple(keys))
                    if mode == D30:
                        self._unheard.update(dict.fromkeys(keys, 0))

    def received(self, message: Message) -> Iterable[Result]:
        if isinstance(message, bytes):
            found = patches(message)
            if self._light:
                for patch in found:
                    if patch.key in self._light:
                        _narrow(patch)
            if self._unheard:
                for patch in found:
                    self._unheard.pop(patch.key, None)
            return found
        if isinstance(message, str):
            return (Notice("error", message[:500]),)
        raise DecodeError(f"a {type(message).__name__} is not a message of this wire")

    def heartbeat(self) -> Iterator[Result]:
        """Called after so many seconds that a snapshot would have come."""
        late = [key for key, beats in self._unheard.items() if beats]
        self._unheard = {key: 1 for key, beats in self._unheard.items() if not beats}
        for keys in batches(late, SUBSCRIBE_BATCH):
            yield Notice("warning", f"no 30 levels came for {len(keys)} instruments (Plus plan?): asking for 5")
            yield Send(self._request("change_mode", keys, FULL), tuple(keys))

    def _request(self, method: str, keys: Sequence[Key], mode: str = "") -> bytes:
        data: dict[str, Any] = {"instrumentKeys": keys}
        if mode:
            data["mode"] = mode
        return msgspec.json.encode({"guid": self._guid, "method": method, "data": data})


def _narrow(patch: Patch) -> None:
    """What comes late of a fuller mode would set a book and a day's prices that nothing renews: live messages are
    merged."""
    patch.depth = None
    if not patch.fields.keys() <= OF_LTPC:
        patch.fields = cast(Fields, {name: value for name, value in patch.fields.items() if name in OF_LTPC})


def _mode(level: Level) -> str:
    if level.mode is Mode.LTP:
        return LTPC
    return D30 if level.mode is Mode.DEPTH and level.depth > 5 else FULL


def _open(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    return one_time("/v3/feed/market-data-feed/authorize")


FEED = Stream(
    name="feed",
    carries=Carries(modes={Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5, 30)}, exchanges=frozenset(SEGMENTS.values())),
    open=_open,
    codec=lambda session, endpoint, ctx: FeedCodec(ctx.random(10).hex()),
    key=lambda instrument: instrument.token,
    limits=StreamLimits(symbols_per_socket=SYMBOLS_PER_SOCKET, sockets=2),
    cost=lambda instrument, level: D30_COST if _mode(level) == D30 else 1,
    heartbeat=5.0,
    ping=10.0,
)
"""The wire has no sign of life of its own: a quiet market is silent, and only pings tell that somebody is there."""
