"""One conversation of every wire, for tests that treat all wires alike."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.contract import test_fyers as fyers
from tests.contract import test_groww as groww
from tests.contract import test_iiflcapital as iiflcapital
from tests.contract import test_tradejini as tradejini
from tests.contract import test_upstox as upstox
from tests.contract import test_xts as xts
from tests.contract import wire_fyers, wire_groww, wire_iiflcapital, wire_tradejini, wire_upstox, wire_xts
from tests.contract.driver import Rest

from sangam.brokers.contract import Stream
from sangam.model.enums import Mode
from sangam.model.instrument import Level
from sangam.model.market import Key
from sangam.transport.framing.base import Wire


@dataclass(frozen=True)
class Script:
    """The peer says `login`, hears that `key` is wanted, and says `frames`, which tell `patches` times of `key`."""

    rest: Callable[[], Rest]
    stream: Stream
    login: tuple[Wire, ...]
    key: Key
    level: Level
    frames: tuple[Wire, ...]
    patches: int


def _xts() -> Rest:
    return Rest(wire_xts.SPEC, {"md_token": "t0"}, {f"POST {xts.SUBSCRIPTION}": [xts.reply(xts.SNAPSHOT)]})


SCRIPTS = {
    "REST subscriptions, binary Socket.IO": Script(
        _xts,
        wire_xts.STREAM,
        xts.OPENING,
        xts.KEY,
        Level(Mode.QUOTE),
        (xts.PLACEHOLDER, b"\x04" + xts.PLAIN_1501, xts.PLACEHOLDER, b"\x04" + xts.DEFLATED_1501),
        3,
    ),
    "NATS with a posted key": Script(
        groww.rest,
        wire_groww.STREAM,
        (groww.INFO, b"PONG\r\n"),
        groww.KEY,
        Level(Mode.DEPTH),
        (
            groww.message("/ld/eq/nse/price.2885", groww.PRICE),
            groww.message("/ld/eq/nse/book.2885", groww.BOOK),
        ),
        2,
    ),
    "binary with numbered topics": Script(
        fyers.rest,
        wire_fyers.HSM,
        (fyers.AUTH_OK,),
        fyers.KEY,
        Level(Mode.QUOTE),
        (fyers.SUBSCRIBED, fyers.SNAPSHOT, fyers.UPDATE, fyers.LITE),
        3,
    ),
    "protobuf books as differences": Script(
        fyers.rest, wire_fyers.TBT, (), "NSE:NIFTY25MARFUT", Level(Mode.DEPTH, 50), (fyers.BOOK,), 1
    ),
    "MQTT": Script(
        iiflcapital.rest,
        wire_iiflcapital.STREAM,
        (iiflcapital.CONNACK,),
        iiflcapital.KEY,
        Level(Mode.LTP),
        (
            bytes.fromhex("9003000100"),
            iiflcapital.publish(iiflcapital.MW, iiflcapital.MARKET),
            iiflcapital.publish(iiflcapital.OI, iiflcapital.OPEN_INTEREST),
        ),
        2,
    ),
    "replacing lists": Script(
        lambda: Rest(wire_tradejini.SPEC, {"api_key": "k", "access_token": "t"}, {}),
        wire_tradejini.STREAM,
        (),
        tradejini.SHARE,
        Level(Mode.QUOTE),
        (tradejini.L1, tradejini.L1),
        2,
    ),
    "one-time URLs": Script(
        upstox.rest, wire_upstox.STREAM, (), upstox.OPTION, Level(Mode.LTP), (upstox.MARKET_INFO, upstox.LTPC), 1
    ),
}
