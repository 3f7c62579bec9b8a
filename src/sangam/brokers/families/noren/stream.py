"""The socket: prices and books of what is wanted, and the user's orders (Noren API docs: Websocket API).

Text frames of JSON, told apart by `t`. A login frame comes first; a subscription is answered by a snapshot of each
scrip, and everything after it tells what changed."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, cast

import msgspec

from sangam.brokers.contract import (
    AuthExpired,
    BaseCodec,
    Carries,
    Confirmed,
    Ctx,
    Endpoint,
    LoggedIn,
    Notice,
    Operation,
    Result,
    Send,
    Session,
    Stream,
    StreamLimits,
    batches,
    done,
)
from sangam.brokers.order_rows import reader
from sangam.brokers.wire import Message
from sangam.model.enums import Mode
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key

from .answers import plain, user
from .member import Member
from .packets import Scrip
from .tables import SUBSCRIBE_BATCH
from .updates import OrderRow, update

PING = 20.0
"""Seconds between pings of the WebSocket itself; Kambala's SDK sends them every three."""

_decode = msgspec.json.Decoder().decode
_news = reader(OrderRow, update, strict=False, plain=plain)

STOP = {"t": "u", "d": "ud"}


class FeedCodec(BaseCodec):
    """Keys are ``NSE|22``, as subscriptions name them. A scrip is told by touchline (`t`) or with its book (`d`)."""

    def __init__(self, client: str, token: str) -> None:
        super().__init__()
        self._client = client
        self._token = token
        self._tasks: dict[Key, str] = {}
        self._scrips: dict[Key, Scrip] = {}

    def opened(self) -> Iterable[Result]:
        who = {"uid": self._client, "actid": self._client, "accesstoken": self._token}
        return (Send(_frame("a", **who, source="API")),)

    def update(self, wanted: Mapping[Key, Level]) -> Iterator[Result]:
        added, changed, removed = self.changes(wanted)
        before, self._tasks = self._tasks, {key: task(level) for key, level in wanted.items()}
        moved = [key for key in changed if before[key] != self._tasks[key]]
        for key in (*removed, *moved):
            self._scrips.pop(key, None)
        for kind, keys in _by_task((*removed, *moved), before):
            yield Send(_frame(STOP[kind], k="#".join(cast(list[str], keys))))
        for kind, keys in _by_task((*moved, *added), self._tasks):
            yield Send(_frame(kind, k="#".join(cast(list[str], keys))), tuple(keys))
        for key in changed:
            if (scrip := self._scrips.get(key)) is not None:  # more of the same task is known already
                yield scrip.patch(key, book=self._tasks[key] == "d", told=scrip.heard > 0)

    def received(self, message: Message) -> Iterable[Result]:
        if not isinstance(message, str):
            raise DecodeError(f"{len(cast(bytes, message))} bytes where text is spoken")
        try:
            frame = _decode(message)
            kind = frame["t"]
            if kind in _TOLD:
                return self._told(kind, frame)
        except (msgspec.DecodeError, UnicodeError, RecursionError, LookupError, TypeError) as error:
            raise DecodeError(f"unreadable frame: {error}") from error
        if kind == "om":
            return (_news(message),)
        if kind in ("ak", "ck"):
            return self._greeted(frame)
        return (Notice("info", str(frame)),) if kind == "rm" else ()

    def _told(self, kind: str, frame: dict[str, Any]) -> Iterable[Result]:
        key = f"{frame['e']}|{frame['tk']}"
        if self._tasks.get(key) != kind[0]:
            return ()  # late news of what was left
        scrip = self._scrips.get(key)
        first = kind[1] == "k"
        if first or scrip is None:
            scrip = Scrip(first)
        scrip.add(frame)
        self._scrips[key] = scrip
        patch = scrip.patch(key, book=kind[0] == "d", told="ft" in frame)
        return (Confirmed((key,)), patch) if first else (patch,)

    def _greeted(self, frame: dict[str, Any]) -> Iterable[Result]:
        if str(frame.get("s")).casefold() != "ok":
            return (AuthExpired(f"the socket refuses the session ({frame.get('s')})"),)
        return LoggedIn(), Send(_frame("o", actid=self._client))

    def heartbeat(self) -> Iterable[Result]:
        return (Send(_frame("h")),)


_TOLD = frozenset({"tf", "df", "tk", "dk"})


def task(level: Level) -> str:
    return "d" if level.mode is Mode.DEPTH else "t"


def _by_task(keys: Iterable[Key], tasks: Mapping[Key, str]) -> Iterator[tuple[str, list[Key]]]:
    """What one message may name: scrips of one task, no more than a batch of them."""
    for kind, group in groupby(sorted(keys, key=tasks.__getitem__), tasks.__getitem__):
        for batch in batches(list(group), SUBSCRIBE_BATCH):
            yield kind, list(batch)


def _frame(kind: str, **more: str) -> str:
    return msgspec.json.encode({"t": kind, **more}).decode()


def feed(member: Member) -> Stream:
    """The brokers allow but one socket, so prices and orders share it."""

    def opened(session: Session, ctx: Ctx) -> Operation[Endpoint]:
        # Who we are is said in the first frame: an upgrade that is refused says nothing about the session.
        return done(Endpoint(url=session.host("stream", member.all_hosts), dead_credential=frozenset()))

    return Stream(
        name="feed",
        carries=Carries(modes={Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)}, exchanges=member.carried, orders=True),
        open=opened,
        codec=lambda session, endpoint, ctx: FeedCodec(user(session), session.secrets["access_token"]),
        key=key,
        limits=StreamLimits(symbols_per_socket=member.symbols_per_socket, sockets=1),
        opens="with_session",
        heartbeat=member.heartbeat,
        silence=2.5 * member.heartbeat if member.acknowledged else None,
        ping=PING,
        linger=member.linger,
        cooldown=member.cooldown,
    )


def key(instrument: Instrument) -> str:
    """Tokens are unique within their exchange."""
    return f"{instrument.brexchange}|{instrument.token}"
