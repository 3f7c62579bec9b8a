"""One full-depth update of each broker's wire: our decode, merge and encode of what its simulator really sent.

Every broker that has a simulator and streams the book is measured, with no line about it here: its folder and the rooms
above subscribe, the market moves, and the messages that came are replayed through the codec that got them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from tests.conformance.matrix import World
from tests.conformance.rig import rig_for
from tests.conformance.stands import STANDS

from sangam.brokers import registry
from sangam.brokers.contract import BrokerSpec, Codec, Result, Stream
from sangam.brokers.wire import Message, MqttMessage, NatsMessage
from sangam.feed.port import Dialect
from sangam.feed.publisher import Tally, patcher
from sangam.feed.wants import Line, Want, WantKey
from sangam.model.enums import Exchange, Mode
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key, Patch

MOVES = 20
ROUNDS = 300
PASSES = 3
UPDATES = 100
"""In one timed round, at least: as many as a busy moment brings."""
FIXED, ENCODED = 7.0, 15.0
"""Microseconds that an update may take: of a fixed binary layout, and of protobuf, text, packets that are deflated or
records that differ."""
NOREN = ("shoonya", "flattrade", "zebu", "tradesmart")
XTS = ("fivepaisaxts", "compositedge", "ibulls", "iifl", "wisdom", "jainamxts", "rmoney")
BUDGETS = dict.fromkeys(("upstox", "fyers", *NOREN, *XTS), ENCODED)


@dataclass(frozen=True)
class Wire:
    """Microseconds per update: one instrument in one message, however many records tell of it. `whole` is to decode,
    merge and encode it."""

    broker: str
    stream: str
    octets: float
    decode: float
    whole: float
    budget: float


class _Recorder:
    """A codec that keeps the messages that told something; `opening` are those that come once, at the beginning."""

    def __init__(self, stream: Stream, codec: Codec) -> None:
        self.stream = stream
        self.codec = codec
        self.opening: list[Message] = []
        self.messages: list[Message] = []

    def received(self, message: Message) -> Iterable[Result]:
        results = list(self.codec.received(message))
        if any(isinstance(result, Patch) for result in results):
            self.messages.append(message)
        return results

    def __getattr__(self, name: str) -> Any:
        return getattr(self.codec, name)


async def measure() -> list[Wire]:
    """All of them several times over, lest a busy second of the machine be the figure of a broker."""
    specs = [
        spec
        for spec in registry.load()
        if not spec.simulated and any(5 in stream.carries.modes.get(Mode.DEPTH, ()) for stream in spec.streams)
    ]
    passes = [[await _measured(spec) for spec in specs] for _ in range(PASSES)]
    return [
        replace(times[0], decode=min(each.decode for each in times), whole=min(each.whole for each in times))
        for times in zip(*passes, strict=True)
    ]


async def _measured(spec: BrokerSpec) -> Wire:
    recorders: list[_Recorder] = []

    def recording(stream: Stream) -> Stream:
        def codec(*given: Any) -> Any:
            recorders.append(_Recorder(stream, stream.codec(*given)))
            return recorders[-1]

        return replace(stream, codec=codec)

    listened = replace(spec, streams=tuple(recording(stream) for stream in spec.streams))
    async with rig_for(listened, STANDS[spec.name], World()) as rig:
        shares = [one for one in await rig.instruments() if one.exchange is Exchange.NSE]
        async with rig.streaming() as feed:
            for share in shares:
                feed.want(share, Mode.DEPTH)
            for share in shares:
                await feed.shows(share, Mode.DEPTH)
            for recorder in recorders:
                recorder.opening, recorder.messages = recorder.messages, []
            for _ in range(MOVES):
                rig.trade()
                for share in shares:
                    await feed.shows(share, Mode.DEPTH)
            taken = max(recorders, key=lambda one: len(one.messages))
            return _timed(spec, taken, shares)  # while the codec still has its subscriptions


def _timed(spec: BrokerSpec, taken: _Recorder, shares: list[Instrument]) -> Wire:
    lines: dict[Key, Line] = {}
    for number, share in enumerate(shares):
        key = taken.stream.key(share)
        if key is None:
            continue
        lines[key] = line = Line(share, 1)
        want = Want(number, WantKey(share.symbol, share.exchange.value, Level(Mode.DEPTH), Dialect.CANONICAL))
        want.count = 1
        line.add(want)
    payloads: list[bytes] = []
    patched = patcher(lines, lambda: 1_763_706_896_000, lambda _, payload: payloads.append(payload), Tally())
    received = taken.codec.received

    def told(message: Message) -> int:
        return len({result.key for result in received(message) if isinstance(result, Patch)})

    messages, updates = list[Message](), 0
    while updates < UPDATES:
        messages.append(taken.messages.pop())
        updates += told(messages[-1])
    messages.reverse()

    def decoded() -> None:
        for message in messages:
            list(received(message))

    def whole(messages: list[Message] = messages) -> None:
        payloads.clear()
        for message in messages:
            for result in received(message):
                if type(result) is Patch:
                    patched(result)

    whole(taken.opening + taken.messages)
    whole()
    if not payloads or b'"depth"' not in payloads[-1]:
        raise RuntimeError(f"the wire of {spec.title} told no book")
    octets = sum(_size(message) for message in messages) / updates
    return Wire(
        spec.title,
        taken.stream.name,
        octets,
        _best(decoded) / updates,
        _best(whole) / updates,
        BUDGETS.get(spec.name, FIXED),
    )


def _size(message: Message) -> int:
    """Bytes of what a codec gets; of a framing's own units, of what they carry."""
    if isinstance(message, MqttMessage | NatsMessage):
        return len(message.payload)
    return len(message if isinstance(message, str | bytes) else msgspec.msgpack.encode(message))


def _best(work: Callable[[], object]) -> float:
    """Microseconds of the quietest round."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best * 1e6
