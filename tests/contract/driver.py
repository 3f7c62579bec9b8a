"""A generic driver that carries any broker written against the contract, without network, clock or loop.

`Rest` runs operations on canned replies; `Socket` pumps one framing with one codec; `Feed` spreads wants over all
streams of a broker and merges what they tell. It names no broker: whatever a wire needs must fit the contract."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from sangam.brokers.contract import (
    Authorize,
    BrokerSpec,
    Call,
    Check,
    Ctx,
    Event,
    Instruments,
    LoggedIn,
    Login,
    Operation,
    Request,
    Result,
    Send,
    Session,
    Stream,
    WireRequest,
    done,
)
from sangam.feed.wants import plan
from sangam.model.enums import Exchange
from sangam.model.errors import BrokerError, DecodeError
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key, Patch
from sangam.prices.last import Last
from sangam.transport.encoding import decode, encode
from sangam.transport.framing import make_framing
from sangam.transport.framing.base import Closed, Framed, Opened, Out, Wire

T = TypeVar("T")

Answer = tuple[int, Any]
"""HTTP status and the body's JSON value, or its bytes."""

CTX = Ctx(1_738_728_000_000, lambda count: bytes(range(count)))
"""2025-02-05T04:00:00Z, and "random" bytes that count upwards."""


def make_spec(name: str, hosts: Mapping[str, str], authorize: Authorize, check: Check, *streams: Stream) -> BrokerSpec:
    """A spec with only what a wire under test needs."""
    return BrokerSpec(
        name=name,
        title=name.title(),
        hosts=hosts,
        exchanges=frozenset(Exchange),
        login=Login(fields=(), check=lambda session, ctx: done("")),
        authorize=authorize,
        check=check,
        streams=streams,
        instruments=Instruments(download=lambda session, ctx: done([]), parse=lambda files: iter(())),
    )


class Rest:
    """Answers each request with the next canned reply of its ``METHOD /path``; `sent` is what went out."""

    def __init__(self, spec: BrokerSpec, secrets: Mapping[str, str], replies: Mapping[str, Sequence[Answer]]) -> None:
        self.spec = spec
        self.session = Session(account="a1", broker=spec.name, generation=1, client_id="C1", secrets=secrets)
        self.replies = {call: list(answers) for call, answers in replies.items()}
        self.sent: list[WireRequest] = []

    def run(self, operation: Operation[T]) -> T:
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
                answer = [self._ask(each) for each in step] if isinstance(step, list) else self._ask(step)
            except BrokerError as caught:
                error = caught

    def _ask(self, request: Request) -> Any:
        self.sent.append(encode(self.spec, self.session, request, CTX))
        status, body = self.replies[f"{request.method} {request.path}"].pop(0)
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return self.spec.check(request, decode(request, status, {}, content))


class Socket:
    """One socket of a stream: `sent` to the peer, `events` of the codec (patches apart), `damaged` messages."""

    def __init__(self, rest: Rest, stream: Stream, patched: Callable[[Patch], None] | None = None) -> None:
        self._rest = rest
        self.endpoint = rest.run(stream.open(rest.session, CTX))
        self.framing = make_framing(self.endpoint.framing, self.endpoint.framing_options)
        self.codec = stream.codec(rest.session, self.endpoint, CTX)
        self.sent: list[Wire] = []
        self.events: list[Event] = []
        self.patches: list[Patch] = []
        self.damaged: list[DecodeError] = []
        self.closed: Closed | None = None
        self.wanted: dict[Key, Level] = {}
        self.logged_in = False
        self._patched = patched or self.patches.append
        self._framed(self.framing.start())

    def receive(self, *wires: Wire) -> None:
        for wire in wires:
            try:
                self._framed(self.framing.feed(wire))
            except DecodeError as error:
                self.damaged.append(error)

    def want(self, wanted: Mapping[Key, Level]) -> None:
        """The whole set this socket should carry."""
        self.wanted = dict(wanted)
        if self.logged_in:
            self._results(self.codec.update(self.wanted))

    def beat(self) -> None:
        self._results(self.codec.heartbeat())

    def take_sent(self) -> list[Wire]:
        sent, self.sent = self.sent, []
        return sent

    def take_events(self) -> list[Event]:
        events, self.events = self.events, []
        return events

    def take_patches(self) -> list[Patch]:
        patches, self.patches[:] = list(self.patches), []
        return patches

    def _framed(self, pieces: Iterable[Framed]) -> None:
        for piece in pieces:
            if isinstance(piece, Out):
                self.sent.append(piece.data)
            elif isinstance(piece, Opened):
                self._results(self.codec.opened())
            elif isinstance(piece, Closed):
                self.closed = piece
            else:
                self._results(self.codec.received(piece))

    def _results(self, results: Iterable[Result]) -> None:
        for result in results:
            if isinstance(result, Patch):
                self._patched(result)
            elif isinstance(result, Send):
                self.sent.extend(self.framing.encode(result.command))
            elif isinstance(result, Call):
                self._results(self._call(result))
            elif isinstance(result, LoggedIn):
                self.logged_in = True
                self.want(self.wanted)
            else:
                self.events.append(result)

    def _call(self, call: Call) -> Iterable[Result]:
        try:
            payload = self._rest.run(call.operation)
        except BrokerError as error:
            return self.codec.failed(call, error)
        return self.codec.replied(call, payload)


class Feed:
    """All streams of one account; every instrument has one `Last`, whatever number of sockets tells of it."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self.sockets: dict[str, Socket] = {}
        self._lasts: dict[Instrument, Last] = {}
        self._lines: dict[tuple[str, Key], Last] = {}

    def want(self, instrument: Instrument, level: Level) -> Last:
        parts = plan(self._rest.spec.streams, instrument, level)
        assert parts, f"no stream carries {instrument.symbol} at {level}"
        last = self._lasts.setdefault(instrument, Last())
        last.whole = len(parts) == 1
        for part in parts:
            name = part.stream.name
            if name not in self.sockets:
                self.sockets[name] = Socket(self._rest, part.stream, partial(self._merge, name))
            self._lines[name, part.key] = last
            self.sockets[name].want({**self.sockets[name].wanted, part.key: part.level})
        return last

    def _merge(self, stream: str, patch: Patch) -> None:
        self._lines[stream, patch.key].merge(patch, CTX.now_ms)
