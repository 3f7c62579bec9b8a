"""A full-depth packet: our decode, merge and encode, and the official SDK's decode with `json.dumps`, in one run."""

import json
import random
import struct
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.peers.environments import PeerUnavailable, build, peer_environment

from sangam.brokers import registry
from sangam.brokers.contract import Ctx, Endpoint, Session
from sangam.feed.port import Dialect
from sangam.feed.publisher import Tally, patcher
from sangam.feed.wants import Line, Want, WantKey
from sangam.model.enums import Exchange, Mode
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key, Patch

from .ticker import packet, token_of

PACKETS = 100
ROUNDS = 200
PEER = Path(__file__).with_name("decode_peer.py")


@dataclass(frozen=True)
class Decode:
    """Microseconds per packet; the peer's are None where its environment cannot be built."""

    decode: float
    merged_and_encoded: float
    peer_decode: float | None
    peer_dumps: float | None


def frame() -> bytes:
    """One frame of full packets, each with other prices, as a busy morning sends them."""
    dice = random.Random(11)
    bodies = []
    for number in range(PACKETS):
        body = packet(token_of(number))
        struct.pack_into(">H", body, 0, len(body) - 2)
        struct.pack_into(">I", body, 6, 100_000 + dice.randrange(20_000))
        bodies.append(bytes(body))
    return struct.pack(">H", PACKETS) + b"".join(bodies)


def best_us(work: Callable[[], object]) -> float:
    """Microseconds per packet in the quietest round."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best / PACKETS * 1e6


def measure() -> Decode:
    content = frame()
    stream = registry.load()["zerodha"].streams[0]
    session = Session(account="a", broker="zerodha", generation=1)
    codec = stream.codec(session, Endpoint(url="ws://127.0.0.1"), Ctx(0, bytes))
    lines: dict[Key, Line] = {}
    for number in range(PACKETS):
        name = f"SYM{number}"
        instrument = Instrument(
            symbol=name, exchange=Exchange.NSE, brsymbol=name, brexchange="NSE", token=str(token_of(number))
        )
        lines[token_of(number)] = line = Line(instrument, 1)
        want = Want(number, WantKey(name, "NSE", Level(Mode.DEPTH), Dialect.CANONICAL))
        want.count = 1
        line.add(want)
    payloads: list[bytes] = []
    patched = patcher(lines, lambda: 1_763_706_896_000, lambda _, payload: payloads.append(payload), Tally())

    def whole() -> None:
        payloads.clear()
        for event in codec.received(content):
            if type(event) is Patch:
                patched(event)

    decode = best_us(lambda: list(codec.received(content)))
    both = best_us(whole)
    assert len(payloads) == PACKETS
    assert len(json.loads(payloads[0])["depth"]["buy"]) == 5
    peer_decode, peer_dumps = _peer(content)
    return Decode(decode, both, peer_decode, peer_dumps)


def _peer(content: bytes) -> tuple[float | None, float | None]:
    try:
        python = build("kiteconnect")
    except PeerUnavailable:
        return None, None
    done = subprocess.run(
        [str(python), str(PEER), str(PACKETS), str(ROUNDS)],
        input=content.hex(),
        capture_output=True,
        text=True,
        env=peer_environment(),
        check=True,
    )
    told = json.loads(done.stdout)
    return told["decode"], told["dumps"]
